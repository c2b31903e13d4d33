import type { Question, Stream } from "@/api/events";
import { json } from "@/api/http";
import type { components } from "@/api/schema";

type Waiting = components["schemas"]["ChatWaiting"];

type Answer = components["schemas"]["ChatResponse"];

/** The whole answer as JSON: `POST /api/chat`. It comes as one token. */
export async function* rest(question: Question, signal: AbortSignal): Stream {
  const body = {
    query: question.text,
    runnable: question.runnable.name,
    ...(question.threadId && { thread_id: question.threadId }),
  };
  const answer = await json<Answer | Waiting>("POST", "/api/chat", body, { signal });
  const { run_id, thread_id } = answer;
  const runnable = question.runnable.name;
  yield { event: { type: "start", run_id, thread_id, runnable, attempt: 1 } };
  if (!("response" in answer)) {
    for (const approval of answer.approvals) yield { event: { type: "approval", content: "", approval } };
    yield { event: { type: "end", status: "waiting" } };
    return;
  }
  const { response, value, finish_reason, usage } = answer;
  yield { event: { type: "token", content: response } };
  yield { event: { type: "complete", content: response, value, finish_reason, usage, duration_ms: 0 } };
  yield { event: { type: "end", status: "completed" } };
}
