import type { Question, Received, ServerEvent, Stream } from "@/api/events";
import { Problem } from "@/api/problem";
import { Queue } from "@/api/queue";
import { closing, joinRun, readRun } from "@/api/runs";
import { fetchSse } from "@/api/transports/fetchSse";
import { fromLangChain, textOf, type LangChainEvent } from "@/api/transports/langchainEvents";
import { WatchedFetch } from "@/api/transports/watchedFetch";

/** How long the run may go on while nobody watches it, so that it can be joined again, in seconds. */
const GRACE = "300";

type Push = (event: ServerEvent) => void;

/**
 * LangServe's client: `streamEvents` where an answer is a message, so that tools show as they run, else `stream`.
 * A stream that breaks off ends here without `end`. What a graph streams there are updates of its state, of which
 * nobody could tell the words of the answer: the run's own events are read for one.
 */
export async function* remoteRunnable(question: Question, signal: AbortSignal): Stream {
  if (!question.runnable.adds_up) {
    yield* fetchSse(question, signal);
    return;
  }
  const queue = new Queue<Received>();
  const push: Push = (event) => queue.push({ event });
  const runnable = question.runnable.name;
  const wire = new WatchedFetch((run_id) =>
    push({ type: "start", run_id, thread_id: question.threadId, runnable, attempt: 1 }),
  );
  void pump(question, wire, push, signal).then(
    () => queue.end(),
    (error: unknown) => queue.end(error),
  );
  yield* queue;
  if (wire.runId && wire.whole) yield* outcome(wire.runId, signal);
}

async function pump(question: Question, wire: WatchedFetch, push: Push, signal: AbortSignal): Promise<void> {
  const { RemoteRunnable } = await import("@langchain/core/runnables/remote");
  const { path, output } = question.runnable;
  const remote = new RemoteRunnable<object, unknown, { signal?: AbortSignal }>({
    url: new URL(path, location.href).href,
    fetch: wire.fetch,
    options: { headers: { "x-disconnect-grace": GRACE } },
  });
  const config = { signal, configurable: { thread_id: question.threadId } };
  const input = { [question.runnable.input_field ?? "input"]: question.text };
  try {
    if (output === "message") {
      const only = { includeTypes: ["tool"], includeNames: [path] }; // a run is named by its path
      for await (const event of remote.streamEvents(input, { ...config, version: "v2" }, only)) {
        fromLangChain(event as LangChainEvent, wire.runId ?? "").forEach(push);
      }
    } else {
      const field = question.runnable.answer_field ?? null;
      for await (const chunk of await remote.stream(input, config)) eventsOf(chunk, field).forEach(push);
    }
  } catch (error) {
    // an error frame or a lost connection: the run itself tells what became of it
    if (signal.aborted || error instanceof Problem || !wire.runId) throw error;
  }
}

/**
 * Returns a chunk as events: text goes on, data replaces what came of it before. Of data with a field that is to be
 * read, that field's text goes on, and the rest comes with the end.
 */
function eventsOf(chunk: unknown, field: string | null): ServerEvent[] {
  if (field !== null) {
    const content = textOf((chunk as Record<string, unknown> | null)?.[field]);
    return content ? [{ type: "token", content }] : [];
  }
  const content = textOf(chunk);
  if (content || typeof chunk !== "object") return [{ type: "token", content }];
  return [{ type: "gap", content: "", text: JSON.stringify(chunk) }];
}

/** Yields how the run ended, which LangServe's frames do not tell. */
async function* outcome(runId: string, signal: AbortSignal): Stream {
  const run = await readRun(runId, signal);
  if (run.state === "waiting") {
    yield { event: { type: "replay" } }; // what it waits for is in its own events alone
    yield* joinRun(runId, undefined, signal);
    return;
  }
  if (run.state === "running") yield* joinRun(runId, run.last_event_id, signal); // its end is being stored
  for (const event of closing(run)) yield { event };
}
