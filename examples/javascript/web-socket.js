// WebSocket: several runs on one socket, which the server can be told to stop. docs/websocket.md has the frames.
// A browser's socket can send no header: a ticket stands in for the credential. Node 20 has no WebSocket: `ws` has.
import { passes, refused, ticketFor } from "./ticket.js";

const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
const ROUTE = "/ws/chat/";
const ATTEMPTS = 10; // without any news: about a minute

/** Yields the run's events up to `end`, over as many sockets as it takes. Throws when the server refuses. */
export async function* ask({ url, key, question, runnable }) {
  let frame = { message: question, idempotency_key: crypto.randomUUID(), ...(runnable && { runnable }) };
  let begun = false;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const ticket = await ticketFor(url, key, ROUTE);
      for await (const event of frames(`${url.replace(/^http/, "ws")}${ROUTE}?events=run&ticket=${ticket}`, frame)) {
        if (event.type === "error" && !event.id) throw new Error(event.content); // no event of the run
        frame = { type: "resume", run_id: event.run_id, last_event_id: event.id };
        [begun, attempt] = [true, 0];
        yield event;
        if (event.type === "end") return;
      }
    } catch (error) {
      if (!begun || !passes(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** attempt, 10_000)));
  }
  throw new Error("The connection was lost, and not found again.");
}

/** Yields what one socket brings after the first frame was sent, until it is closed. */
async function* frames(address, first) {
  const socket = new WebSocket(address);
  const ready = [];
  let wake = () => {};
  const take = (frame) => wake(ready.push(frame));
  let opened = false;
  socket.onopen = () => {
    opened = true;
    socket.send(JSON.stringify(first));
  };
  socket.onmessage = ({ data }) => take(JSON.parse(data));
  socket.onerror = () => {}; // `close` follows
  socket.onclose = () => take(opened ? null : refused());
  try {
    for (;;) {
      if (!ready.length) await new Promise((resolve) => (wake = resolve));
      const frame = ready.shift();
      if (frame instanceof Error) throw frame;
      if (!frame) return;
      yield frame;
    }
  } finally {
    socket.close();
  }
}
