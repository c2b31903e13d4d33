import type { Question, Stream } from "@/api/events";
import { json } from "@/api/http";
import type { components } from "@/api/schema";

type Answer = components["schemas"]["ChatResponse"];

/** The whole answer as JSON: `POST /api/chat`. It comes as one token. */
export async function* rest(question: Question, signal: AbortSignal): Stream {
  const body = {
    query: question.text,
    runnable: question.runnable.name,
    ...(question.threadId && { thread_id: question.threadId }),
  };
  const answer = await json<Answer>("POST", "/api/chat", body, { signal });
  const { response, value, finish_reason, run_id, thread_id, usage } = answer;
  const runnable = question.runnable.name;
  yield { event: { type: "start", run_id, thread_id, runnable, attempt: 1 } };
  yield { event: { type: "token", content: response } };
  yield { event: { type: "complete", content: response, value, finish_reason, usage, duration_ms: 0 } };
  yield { event: { type: "end", status: "completed" } };
}
