import { EVENT_TYPES, type Received, type ServerEvent, type Stream } from "@/api/events";
import { eventsOf, type ServerSentEvent } from "@/api/sse";

const KNOWN = new Set(EVENT_TYPES);

/** Returns the run's event in a server-sent one; undefined for a type that this client does not know. */
export function received({ id, data }: ServerSentEvent): Received | undefined {
  const event = JSON.parse(data) as ServerEvent;
  if (!KNOWN.has(event.type)) return undefined;
  return id === undefined ? { event } : { id, event };
}

/** Yields the run's events in a response of the run API. */
export async function* runEventsOf(response: Response): Stream {
  if (!response.body) return;
  for await (const sent of eventsOf(response.body)) {
    const item = received(sent);
    if (item) yield item;
  }
}
