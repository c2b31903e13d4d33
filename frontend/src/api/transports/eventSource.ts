import { EVENT_TYPES, type Question, type Received, type Stream } from "@/api/events";
import { identifier } from "@/api/identifier";
import { Queue } from "@/api/queue";
import { received } from "@/api/received";
import type { ServerSentEvent } from "@/api/sse";

/**
 * The browser's own EventSource: `GET /api/chat/stream`. It reconnects by itself; the idempotency key makes
 * that join the run instead of asking a second time.
 */
export async function* eventSource(question: Question, signal: AbortSignal): Stream {
  const queue = new Queue<Received>();
  const source = new EventSource(addressOf(question));
  signal.addEventListener("abort", () => queue.end(signal.reason));
  for (const type of EVENT_TYPES) {
    source.addEventListener(type, (message) => {
      if (message instanceof MessageEvent) take(message, queue);
      else if (source.readyState === EventSource.CLOSED) queue.end(new TypeError("EventSource was refused."));
    });
  }
  try {
    for await (const item of queue) {
      yield item;
      if (item.event.type === "end") return;
    }
  } finally {
    source.close();
  }
}

function take(message: MessageEvent<string>, queue: Queue<Received>): void {
  const sent: ServerSentEvent = { id: message.lastEventId, data: message.data };
  const item = received(sent);
  if (item) queue.push(item);
}

function addressOf({ text, runnable, threadId }: Question): string {
  const parameters = new URLSearchParams({
    query: text,
    runnable: runnable.name,
    idempotency_key: identifier(),
    ...(threadId && { thread_id: threadId }),
  });
  return `/api/chat/stream?${parameters}`;
}
