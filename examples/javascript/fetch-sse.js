// Typed server-sent events over fetch: any header can be sent, and a stream that breaks off is joined again.
// Node 20 and browsers. docs/streaming.md says what the events mean.
const ATTEMPTS = 10; // without any news: about a minute
const PASSING = [429, 502, 503, 504]; // a run that goes on is worth asking for again

/** Yields the run's events, each once, up to `end`. Throws what the server refuses with. */
export async function* ask({ url, key, question, runnable, signal }) {
  const headers = { "x-api-key": key, "content-type": "application/json" };
  const body = JSON.stringify({ query: question, ...(runnable && { runnable }) });
  // under the same key a question that is sent twice is answered once
  const start = { method: "POST", body, headers: { ...headers, "idempotency-key": crypto.randomUUID() }, signal };
  let [runId, lastId] = [undefined, "-1"];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const join = { headers: { ...headers, "last-event-id": lastId }, signal };
      const response = await (runId
        ? fetch(`${url}/api/runs/${runId}/stream`, join)
        : fetch(`${url}/api/chat/stream`, start));
      if (!response.ok || response.status === 204) throw await refusal(response);
      runId = response.headers.get("x-run-id");
      for await (const { id, data } of frames(response.body)) {
        const event = JSON.parse(data);
        if (event.type === "error" && !id) throw refused(event.problem); // about this reader, not the run
        [lastId, attempt] = [id, 0];
        yield event;
        if (event.type === "end") return;
      }
    } catch (error) {
      if (signal?.aborted || (error.status && !(runId && PASSING.includes(error.status)))) throw error;
    } // else it ended without `end`: it was interrupted
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** attempt, 10_000)));
  }
  throw new Error("The connection was lost, and not found again.");
}

async function* frames(body) {
  let text = "";
  for await (const piece of pieces(body.pipeThrough(new TextDecoderStream()))) {
    const parts = (text + piece).split(/\r?\n\r?\n/);
    text = parts.pop(); // a frame is one when its blank line has come
    for (const part of parts) {
      const fields = Object.fromEntries(part.split(/\r?\n/).map((line) => line.split(/: ?(.*)/s, 2)));
      if (fields.data) yield fields; // others are heartbeats and `retry`
    }
  }
}

async function* pieces(stream) { // Safari cannot iterate over a stream
  const reader = stream.getReader();
  for (let read; !(read = await reader.read()).done; ) yield read.value;
}

const refused = ({ detail, status }) => Object.assign(new Error(detail), { status });
const refusal = async (response) =>
  refused({ detail: `HTTP ${response.status}`, status: response.status, ...(await response.json().catch(() => ({}))) });
