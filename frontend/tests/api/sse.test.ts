import { describe, expect, it } from "vitest";
import { EventParser, eventsOf } from "@/api/sse";

const parsed = (...pieces: string[]) => {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.take(piece));
};

describe("the parser of server-sent events", () => {
  it.each(["\n", "\r\n", "\r"])("reads lines that end in %j", (end) => {
    const text = ["id: 1-1", "event: token", "data: a", "", "data: b", "", ""].join(end);
    // a lone CR at the very end may be half a CRLF: it counts once more has come
    const events = parsed(text, ":\n");
    expect(events).toEqual([
      { id: "1-1", type: "token", data: "a" },
      { id: "1-1", type: "message", data: "b" },
    ]);
  });

  it("reads the same however it is split", () => {
    const text =
      'retry: 1000\r\n\r\nid: 1-1\r\nevent: token\r\ndata: {"content":"é"}\r\n\r\nid: 1-2\r\ndata: x\r\n\r\n';
    const whole = parsed(text);
    expect(whole).toHaveLength(2);
    for (let place = 0; place <= text.length; place += 1) {
      expect(parsed(text.slice(0, place), text.slice(place))).toEqual(whole);
    }
    expect(parsed(...text)).toEqual(whole);
  });

  it("joins several data lines, and takes one space after the colon only", () => {
    expect(parsed("data: a\ndata:  b\ndata\ndata:c\n\n")[0]?.data).toBe("a\n b\n\nc");
  });

  it("leaves out comments, unknown fields and events without data", () => {
    expect(parsed(": ping\n\nfoo: bar\nevent: token\n\ndata: a\n\n")).toEqual([
      { id: undefined, type: "message", data: "a" },
    ]);
  });

  it("keeps the id for the events after it, and takes none with a NUL", () => {
    const ids = parsed("id: 7\ndata: a\n\ndata: b\n\nid: x\0\ndata: c\n\n").map(({ id }) => id);
    expect(ids).toEqual(["7", "7", "7"]);
  });

  it("does not hand out an event whose blank line never came", () => {
    expect(parsed("data: half\n")).toEqual([]);
  });

  it("reads characters that are split between bytes", async () => {
    const bytes = new TextEncoder().encode("data: 🏦é\n\n");
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        bytes.forEach((byte) => controller.enqueue(Uint8Array.of(byte)));
        controller.close();
      },
    });
    const events = [];
    for await (const event of eventsOf(body)) events.push(event.data);
    expect(events).toEqual(["🏦é"]);
  });

  it("cancels the body when its reader leaves early", async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("data: a\n\n")),
      cancel: () => void (cancelled = true),
    });
    for await (const event of eventsOf(body)) if (event.data === "a") break;
    expect(cancelled).toBe(true);
  });
});
