/** One server-sent event (WHATWG HTML, section 9.2). */
export interface ServerSentEvent {
  id: string | undefined;
  type: string;
  data: string;
}

const LINE_END = /\r\n|\n|\r/g;

/**
 * Parses server-sent events piece by piece. `take` returns the events that a piece completes. Lines may end in
 * CR, LF or CRLF, also when that is split over two pieces; an event without its blank line is none.
 */
export class EventParser {
  private rest = "";
  private data: string[] = [];
  private type = "";
  private id: string | undefined;

  take(piece: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    const text = this.rest + piece;
    let start = 0;
    for (const end of text.matchAll(LINE_END)) {
      const after = end.index + end[0].length;
      if (end[0] === "\r" && after === text.length) break; // its LF may be in the next piece
      this.line(text.slice(start, end.index), events);
      start = after;
    }
    this.rest = text.slice(start);
    return events;
  }

  private line(line: string, events: ServerSentEvent[]): void {
    if (line === "") return this.dispatch(events);
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.data.push(value);
    else if (field === "event") this.type = value;
    else if (field === "id" && !value.includes("\0")) this.id = value;
  }

  private dispatch(events: ServerSentEvent[]): void {
    if (this.data.length) {
      events.push({ id: this.id, type: this.type || "message", data: this.data.join("\n") });
    }
    this.data = [];
    this.type = "";
  }
}

/** Yields the events of a response's body until it ends. Raises what reading it raises. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.take(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined); // lets the server know when the reader leaves early
  }
}
