import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Received, RunEvent } from "@/api/events";
import { follow, rejoin } from "@/api/follow";
import { Interrupted, Problem } from "@/api/problem";
import { at, complete, end, http, problem, RUN, runState, server, sse, start, token } from "../server";

vi.mock("@/api/waiting", () => ({ waited: vi.fn((_seconds: number, signal: AbortSignal) => signal.throwIfAborted()) }));

const STREAM = at(`/api/runs/${RUN}/stream`);
let seen: (string | null)[];

async function* stream(items: Received[], failure?: unknown) {
  yield* items;
  if (failure) throw failure;
}
const numbered = (events: Received["event"][]): Received[] =>
  events.map((event, place) => ({ id: `1-${place + 1}`, event }));

async function all(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const items: RunEvent[] = [];
  for await (const event of events) items.push(event);
  return items;
}
const typesOf = (events: RunEvent[]) =>
  events.filter(({ type }) => type !== "seen").map((event) => (event.type === "token" ? event.content : event.type));
const signal = () => new AbortController().signal;

/** Has the server answer the joins in turn, and notes the last event ids that they send. */
function joins(...answers: Response[]): void {
  seen = [];
  server.use(
    http.get(STREAM, ({ request }) => {
      seen.push(request.headers.get("last-event-id"));
      return answers[seen.length - 1] ?? problem(500, "internal-error", "One join too many.");
    }),
  );
}

beforeEach(() => joins());

describe("following a run", () => {
  it("ends with its end, without another connection", async () => {
    const events = await all(follow(stream(numbered([start(), token("a"), complete("a"), end()])), signal()));
    expect(typesOf(events)).toEqual(["start", "a", "complete", "end"]);
    expect(events.at(-2)).toEqual({ type: "seen", id: "1-4" });
    expect(seen).toEqual([]);
  });

  it("joins a stream that ended without `end`, after the last event that came", async () => {
    joins(sse([token("b")], 3), sse([complete("ab"), end()], 4));
    const events = await all(follow(stream(numbered([start(), token("a")])), signal()));
    expect(typesOf(events)).toEqual(["start", "a", "reconnecting", "b", "reconnecting", "complete", "end"]);
    expect(seen).toEqual(["1-2", "1-3"]);
  });

  it("joins a stream that was torn, and waits longer each time that nothing comes", async () => {
    joins(problem(503, "unavailable", "Later."), Response.error(), sse([complete("a"), end()], 3));
    const events = await all(follow(stream(numbered([start(), token("a")]), new TypeError("torn")), signal()));
    const pauses = events.flatMap((event) => (event.type === "reconnecting" ? [event.seconds] : []));
    expect(pauses).toEqual([0.5, 1, 2]);
    expect(events.at(-1)).toEqual(end());
  });

  it("replays a transport without ids from the start", async () => {
    joins(sse([start(), token("a"), token("b"), complete("ab"), end()]));
    const events = await all(follow(stream([{ event: start() }, { event: token("a") }]), signal()));
    expect(typesOf(events)).toEqual(["start", "a", "reconnecting", "replay", "start", "a", "b", "complete", "end"]);
    expect(seen).toEqual([null]);
  });

  it("asks the run's state when it has ended and all was seen", async () => {
    joins(new Response(null, { status: 204 }));
    server.use(http.get(at(`/api/runs/${RUN}`), () => Response.json(runState({ text: "a" }))));
    const events = await all(follow(stream(numbered([start(), token("a")])), signal()));
    expect(typesOf(events).slice(-2)).toEqual(["complete", "end"]);
  });

  it("gives up on what stays so: another's run, a signed-out session", async () => {
    joins(problem(404, "not-found", "There is no such run."));
    await expect(all(follow(stream(numbered([start()])), signal()))).rejects.toThrow("There is no such run.");
    joins(problem(401, "unauthenticated", "Sign in."));
    await expect(all(rejoin(RUN, signal()))).rejects.toSatisfy((error) => error instanceof Problem && error.signedOut);
  });

  it("waits as long as a limit asks before it reads on, and gives up at one that lasts", async () => {
    joins(problem(429, "quota-exceeded", "Too many requests.", { "retry-after": "7" }), sse([complete("a"), end()], 3));
    const events = await all(follow(stream(numbered([start(), token("a")])), signal()));
    expect(events.flatMap((event) => (event.type === "reconnecting" ? [event.seconds] : []))).toEqual([0.5, 7]);
    joins(problem(429, "quota-exceeded", "Too many requests.", { "retry-after": "40000" }));
    await expect(all(follow(stream(numbered([start()])), signal()))).rejects.toThrow("Too many requests.");
  });

  it("cannot join what never said which run it is", async () => {
    await expect(all(follow(stream([], new TypeError("torn")), signal()))).rejects.toBeInstanceOf(Interrupted);
  });

  it("does not reconnect for somebody who left", async () => {
    const controller = new AbortController();
    const events = follow(stream(numbered([start()]), new TypeError("torn")), controller.signal);
    await events.next();
    controller.abort();
    await expect(all(events)).rejects.toThrow();
    expect(seen).toEqual([]);
  });
});
