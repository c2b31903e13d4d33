// LangChain's own client. @langchain/core 0.3.80 is the last release that has it. Node, or a browser with a bundler.
import { RemoteRunnable } from "@langchain/core/runnables/remote";

/** Yields events like the other clients here, so that they can be compared. Throws what the server says. */
export async function* ask({ url, key, question, runnable = "chat", signal = new AbortController().signal }) {
  const remote = new RemoteRunnable({
    url: `${url}/${runnable}`,
    options: { headers: { "x-api-key": key } },
    fetch: explaining,
  });
  // a signal also lifts the limit of 60 seconds that it has of its own; aborting it stops the run
  for await (const chunk of await remote.stream({ input: question }, { signal })) {
    yield { type: "token", content: chunk.content ?? chunk }; // /agent says messages, /chat texts
  }
  yield { type: "end", content: "", status: "completed" };
}

/** fetch, but an error that says why: RemoteRunnable itself shows no more than the status. */
async function explaining(...request) {
  const response = await fetch(...request);
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail ?? `HTTP ${response.status}`);
}
