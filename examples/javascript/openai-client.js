// OpenAI's own client for Node: a response in the background, which is read on after a drop.
import OpenAI from "openai";

const ATTEMPTS = 10; // without any news: about a minute
const PASSING = ["restarting", "unavailable"]; // the response goes on
const ENDS = ["response.completed", "response.incomplete"];

/** Yields the answer as it comes, and then the whole. Throws what the server refuses with. */
export async function* ask({ url, key, question, runnable = "chat", signal }) {
  const { responses } = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: ATTEMPTS });
  const asked = { model: runnable, input: question, background: true, stream: true };
  // under the same key a question that is sent twice is answered once
  const start = { signal, headers: { "idempotency-key": crypto.randomUUID() } };
  let [id, seen] = [undefined, -1];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const stream = await (id
        ? responses.retrieve(id, { stream: true, starting_after: seen }, { signal })
        : responses.create(asked, start));
      for await (const event of stream) {
        [id, seen, attempt] = [id ?? event.response?.id, event.sequence_number, 0];
        if (event.type === "response.output_text.delta") yield { type: "token", content: event.delta };
        if (event.item?.status === "incomplete") yield { type: "restart" }; // another server begins it anew
        if (event.type === "error") throw Object.assign(new Error(event.message), event); // version 7 throws it itself
        if (ENDS.includes(event.type)) return yield { type: "complete", content: textOf(event.response) };
      }
    } catch (error) {
      if (signal?.aborted || error.status || (error.code && !PASSING.includes(error.code))) throw error;
    } // else it ended without an end: it was interrupted
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** attempt, 10_000)));
  }
  throw new Error("The connection was lost, and not found again.");
}

const textOf = ({ output }) => output.flatMap(({ content = [] }) => content.map(({ text }) => text)).join("");
