import { describe, expect, it } from "vitest";
import { eventsOf, type ServerSentEvent } from "@/api/sse";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Returns a body that comes in these pieces, and then ends, or breaks off. */
const bodyOf = (pieces: Uint8Array[], failure?: Error) =>
  new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces.shift();
      if (piece) controller.enqueue(piece);
      else if (failure) controller.error(failure);
      else controller.close();
    },
  });

async function parsed(...pieces: string[]): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of eventsOf(bodyOf(pieces.map(bytes)))) events.push(event);
  return events;
}

describe("the events of a body", () => {
  it.each(["\n", "\r\n", "\r"])("have lines that end in %j", async (end) => {
    const text = ["id: 1-1", "event: token", "data: a", "", "data: b", "", ""].join(end);
    // a lone CR at the very end may be half a CRLF: it counts once more has come
    const events = await parsed(text, ":\n");
    expect(events).toEqual([
      { id: "1-1", data: "a" },
      { id: "1-1", data: "b" },
    ]);
  });

  it("are the same however it is split", async () => {
    const text =
      'retry: 1000\r\n\r\nid: 1-1\r\nevent: token\r\ndata: {"content":"é"}\r\n\r\nid: 1-2\r\ndata: x\r\n\r\n';
    const whole = await parsed(text);
    expect(whole).toHaveLength(2);
    for (let place = 0; place <= text.length; place += 1) {
      expect(await parsed(text.slice(0, place), text.slice(place))).toEqual(whole);
    }
    expect(await parsed(...text)).toEqual(whole);
  });

  it("join several data lines, and take one space after the colon only", async () => {
    expect((await parsed("data: a\ndata:  b\ndata\ndata:c\n\n"))[0]?.data).toBe("a\n b\n\nc");
  });

  it("leave out comments, unknown fields and events without data", async () => {
    expect(await parsed(": ping\n\nfoo: bar\nevent: token\n\ndata: a\n\n")).toEqual([{ id: undefined, data: "a" }]);
  });

  it("keep an id for the events after it, and take none with a NUL", async () => {
    const ids = (await parsed("id: 7\ndata: a\n\ndata: b\n\nid: x\0\ndata: c\n\n")).map(({ id }) => id);
    expect(ids).toEqual(["7", "7", "7"]);
  });

  it("leave out one whose blank line never came", async () => {
    expect(await parsed("data: half\n")).toEqual([]);
  });

  it("have characters that are split between bytes, and no byte order mark", async () => {
    const pieces = [...bytes("\ufeffdata: 🏦é\n\n")].map((byte) => Uint8Array.of(byte));
    const events = [];
    for await (const event of eventsOf(bodyOf(pieces))) events.push(event.data);
    expect(events).toEqual(["🏦é"]);
  });

  it("are all handed out before the error of a body that breaks off", async () => {
    const events: string[] = [];
    const read = async () => {
      const body = bodyOf([bytes("data: a\n\ndata: b\n\ndata: c\n\n")], new TypeError("torn"));
      for await (const event of eventsOf(body)) events.push(event.data);
    };
    await expect(read()).rejects.toThrow("torn");
    expect(events).toEqual(["a", "b", "c"]);
  });

  it("cancel the body when their reader leaves early", async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes("data: a\n\n")),
      cancel: () => void (cancelled = true),
    });
    for await (const event of eventsOf(body)) if (event.data === "a") break;
    expect(cancelled).toBe(true);
  });
});
