import type { Question, Stream } from "@/api/events";
import { send } from "@/api/http";
import { runEventsOf } from "@/api/received";

/** Typed server-sent events over fetch: `POST /api/chat/stream`. */
export async function* fetchSse(question: Question, signal: AbortSignal): Stream {
  const response = await send("/api/chat/stream", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({
      ...(question.input === undefined ? { query: question.text } : { input: question.input }),
      runnable: question.runnable.name,
      ...(question.threadId && { thread_id: question.threadId }),
      ...(question.attachments?.length && { attachments: question.attachments }),
    }),
    signal,
  });
  yield* runEventsOf(response);
}
