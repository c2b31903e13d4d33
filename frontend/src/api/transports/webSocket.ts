import type { Question, Received, ServerEvent, Stream } from "@/api/events";
import { Problem } from "@/api/problem";
import { Queue } from "@/api/queue";
import { ticketFor } from "@/api/tickets";

const ROUTE = "/ws/chat/";
const SIGNED_OUT = 4401;

type Frame = ServerEvent & { id?: string };

/** Typed events over `WS /ws/chat/`. It is opened with a single-use ticket, or with the cookie alone. */
export async function* webSocket(question: Question, signal: AbortSignal): Stream {
  const ticket = await ticketFor(ROUTE);
  const socket = new WebSocket(addressOf(ticket));
  const queue = new Queue<Received>();
  signal.addEventListener("abort", () => queue.end(signal.reason));
  socket.addEventListener("open", () => socket.send(JSON.stringify(messageOf(question))));
  socket.addEventListener("message", ({ data }) => take(JSON.parse(data as string) as Frame, queue));
  socket.addEventListener("close", ({ code }) =>
    queue.end(code === SIGNED_OUT ? new Problem({ detail: "The session is over. Sign in again." }, 401) : undefined),
  );
  try {
    for await (const item of queue) {
      yield item;
      if (item.event.type === "end") return;
    }
  } finally {
    socket.close();
  }
}

function take({ id, ...event }: Frame, queue: Queue<Received>): void {
  if (event.type === "error" && id === undefined)
    queue.end(new Problem(event.problem)); // the run never began
  else queue.push(id === undefined ? { event } : { id, event });
}

function messageOf({ text, runnable, threadId }: Question): object {
  return { message: text, runnable: runnable.name, ...(threadId && { thread_id: threadId }) };
}

function addressOf(ticket: string | undefined): string {
  const address = new URL(`${ROUTE}?events=run`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  if (ticket) address.searchParams.set("ticket", ticket);
  return address.href;
}
