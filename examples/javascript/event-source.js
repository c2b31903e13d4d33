// The browser's own EventSource. It can send no header, so a ticket stands in for the credential. Its own
// reconnection would send the ticket a second time, so each reconnection here gets a new one.
// In a browser the page and Gatehouse must have the same origin. Node has no EventSource: the package has.
import { passes, refused, ticketFor } from "./ticket.js";

const EventSource = globalThis.EventSource ?? (await import("eventsource")).EventSource;
const ROUTE = "/api/chat/stream";
const TYPES = ["start", "token", "tool_start", "tool_end", "restart", "gap", "complete", "error", "end"];
const ATTEMPTS = 10; // without any news: about a minute

/** Yields the run's events up to `end`. Throws when it cannot be opened; an EventSource cannot tell why. */
export async function* ask({ url, key, question, runnable }) {
  // the key makes a reconnection join the run, rather than ask a second time
  const parameters = { query: question, idempotency_key: crypto.randomUUID(), ...(runnable && { runnable }) };
  let lastId;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const ticket = await ticketFor(url, key, ROUTE);
      const address = new URLSearchParams({ ...parameters, ticket, ...(lastId && { last_event_id: lastId }) });
      for await (const { data, lastEventId } of messages(`${url}${ROUTE}?${address}`)) {
        const event = JSON.parse(data);
        const aboutTheRun = lastEventId && lastEventId !== lastId;
        if (event.type === "error" && !aboutTheRun) throw new Error(event.content);
        [lastId, attempt] = [lastEventId, 0];
        yield event;
        if (event.type === "end") return;
      }
    } catch (error) {
      if (!lastId || !passes(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** attempt, 10_000)));
  }
  throw new Error("The connection was lost, and not found again.");
}

/** Yields what one connection brings, until it is lost. */
async function* messages(address) {
  const source = new EventSource(address);
  const ready = [];
  let wake = () => {};
  const take = (message) => wake(ready.push(message));
  for (const type of TYPES) source.addEventListener(type, (message) => "data" in message && take(message));
  source.onerror = (event) => "data" in event || take(source.readyState === EventSource.CLOSED ? refused() : null);
  try {
    for (;;) {
      if (!ready.length) await new Promise((resolve) => (wake = resolve));
      const message = ready.shift();
      if (message instanceof Error) throw message;
      if (!message) return;
      yield message;
    }
  } finally {
    source.close(); // also when the reader has what it wanted
  }
}
