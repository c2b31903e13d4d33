// GATEHOUSE_API_KEY=… node cli.js fetch-sse "What is a bond?" [runnable]
import { textAfter } from "./answer.js";

const CLIENTS = ["fetch-sse", "event-source", "web-socket", "remote-runnable", "ai-sdk", "openai-client"];
const [client, question, runnable] = process.argv.slice(2);
if (!CLIENTS.includes(client) || !question) {
  console.error(`usage: node cli.js ${CLIENTS.join("|")} QUESTION [RUNNABLE]`);
  process.exit(2);
}
process.stdout.on("error", ({ code }) => process.exit(code === "EPIPE" ? 0 : 1)); // nobody reads on: `| head -1`
const { ask } = await import(`./${client}.js`);
const url = process.env.GATEHOUSE_URL ?? "http://127.0.0.1:8000";
try {
  let text = "";
  for await (const event of ask({ url, key: process.env.GATEHOUSE_API_KEY, question, runnable })) {
    const next = textAfter(text, event);
    if (!next.startsWith(text)) process.stdout.write("\n[the text above is void]\n");
    process.stdout.write(next.startsWith(text) ? next.slice(text.length) : next);
    text = next;
  }
  process.stdout.write("\n");
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
