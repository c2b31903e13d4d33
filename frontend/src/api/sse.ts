import { createParser, type EventSourceMessage } from "eventsource-parser";

/** One server-sent event (WHATWG HTML, section 9.2). */
export interface ServerSentEvent {
  id: string | undefined;
  data: string;
}

/** Yields the events of a response's body until it ends. Raises what reading it raises, after all that came before. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  // not the library's TransformStream: a body that breaks off takes with it what is queued in one
  const arrived: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => arrived.push(event) });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let lastId: string | undefined;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      for (const { id, data } of arrived.splice(0)) {
        lastId = id ?? lastId; // the parser gives an id to its own event alone, the standard to those after it too
        yield { id: lastId, data };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // lets the server know when the reader leaves early
  }
}
