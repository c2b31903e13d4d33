import { describe, expect, it } from "vitest";
import type { RunEvent } from "@/api/events";
import { textOfAnswer, unanswered, type Answer } from "@/chat/exchange";
import { failed } from "@/chat/failure";
import { milliseconds, timeToFirst, tokensASecond } from "@/chat/pace";
import { Interrupted, Problem } from "@/api/problem";
import { answered } from "@/chat/reducer";
import { complete, end, RUN, start, token, usage } from "../server";

const after = (...events: RunEvent[]): Answer => answered(unanswered(0), events, 100);
const called: RunEvent = { type: "tool_start", tool: "calculator", call_id: "c1", input: { expression: "6*7" } };
const returned: RunEvent = { type: "tool_end", tool: "calculator", call_id: "c1", output: "42", is_error: false };

describe("an answer", () => {
  it("waits, streams and is complete", () => {
    expect(after().state).toBe("waiting");
    expect(after(start())).toMatchObject({ state: "waiting", runId: RUN });
    expect(after(start(), token("a"))).toMatchObject({ state: "streaming", parts: [{ kind: "text", text: "a" }] });
    expect(after(start(), token("a"), complete("a"), end())).toMatchObject({ state: "complete", usage });
  });

  it("keeps text and tools in their order", () => {
    const answer = after(start(), token("Let me "), token("see."), called, returned, token("42"), token("."));
    expect(answer.parts).toEqual([
      { kind: "text", text: "Let me see." },
      { kind: "tool", callId: "c1", tool: "calculator", input: { expression: "6*7" }, output: "42", isError: false },
      { kind: "text", text: "42." },
    ]);
  });

  it("takes an event once that comes twice", () => {
    expect(after(start(), called, called).parts).toHaveLength(1);
  });

  it("starts over with another attempt, and says so", () => {
    const answer = after(
      start(),
      token("void"),
      called,
      { type: "restart", content: "", attempt: 2 },
      start(2),
      token("b"),
    );
    expect(answer).toMatchObject({ restarts: 1, parts: [{ kind: "text", text: "b" }] });
  });

  it("replaces its text at a gap, and all of it when it is read again", () => {
    expect(textOfAnswer(after(start(), token("a"), { type: "gap", content: "", text: "abc" }, token("d")))).toBe(
      "abcd",
    );
    const again = after(
      start(),
      token("ab"),
      { type: "reconnecting", seconds: 1 },
      { type: "replay" },
      start(),
      token("a"),
    );
    expect(again).toMatchObject({ state: "streaming", parts: [{ text: "a" }], pace: { tokens: 1, characters: 1 } });
  });

  it("says that it is reconnecting until something comes", () => {
    expect(after(start(), token("a"), { type: "reconnecting", seconds: 2 })).toMatchObject({
      state: "reconnecting",
      pause: 2,
    });
    expect(after(start(), { type: "reconnecting", seconds: 2 }, token("a"))).toMatchObject({
      state: "streaming",
      pause: null,
    });
  });

  it("has the server's whole text in the end, should they differ", () => {
    expect(after(start(), called, token("ab"), complete("abc")).parts).toMatchObject([
      { kind: "tool" },
      { text: "abc" },
    ]);
  });

  it("says of a tool what its model is told when nobody knows whether it has acted", () => {
    const unknown: RunEvent = { type: "unknown", tool: "calculator", call_id: "c1", content: "It is unknown." };
    expect(after(start(), called, unknown).parts).toMatchObject([{ kind: "tool", output: "It is unknown." }]);
  });

  it.each([
    ["cancelled", "stopped"],
    ["failed", "failed"],
    ["completed", "complete"],
  ] as const)("that was %s is %s", (status, state) => {
    expect(after(start(), token("a"), end(status))).toMatchObject({ state, parts: [{ text: "a" }] });
  });

  it("keeps what came before an error", () => {
    const answer = after(
      start(),
      token("a"),
      { type: "error", content: "The run failed.", problem: {} },
      end("failed"),
    );
    expect(answer).toMatchObject({ state: "failed", trouble: "The run failed.", parts: [{ text: "a" }] });
  });

  it("is not changed in place", () => {
    const before = Object.freeze(after(start(), token("a")));
    Object.freeze(before.parts);
    expect(textOfAnswer(answered(before, [token("b")], 1))).toBe("ab");
    expect(textOfAnswer(before)).toBe("a");
  });
});

describe("an answer that fails", () => {
  const answer = after(start(), token("a"));

  it("waits for somebody to sign in", () => {
    expect(failed(answer, new Problem({}, 401)).state).toBe("signed-out");
  });

  it.each([
    [new Problem({ detail: "Too many." }, 429, 30), "Too many.", 30],
    [new Problem({ detail: "There is no such run." }, 404), /is gone/, null],
    [new Interrupted(), /broke off/, null],
    [new TypeError("fetch"), /could not be reached/, null],
  ])("says what happened: %s", (error, sentence, retryAfter) => {
    const after = failed(answer, error);
    expect(after).toMatchObject({ state: "failed", retryAfter, parts: [{ text: "a" }] });
    expect(after.trouble).toMatch(sentence);
  });
});

describe("its pace", () => {
  it("is measured from the first token to the last", () => {
    let answer = answered(unanswered(0), [start(), token("abc")], 250);
    expect(tokensASecond(answer.pace!)).toBeNull();
    answer = answered(answer, [token("d"), token("e")], 1250);
    expect(timeToFirst(answer.pace!)).toBe(250);
    expect(tokensASecond(answer.pace!)).toBe(2);
    expect(answer.pace!.characters).toBe(5);
  });

  it("is not known for an answer out of history", () => {
    expect(answered(unanswered(), [token("a")], 1).pace).toBeNull();
    expect(timeToFirst(unanswered(0).pace!)).toBeNull();
  });

  it.each([
    [0.4, "0 ms"],
    [999, "999 ms"],
    [1500, "1.50 s"],
    [12_340, "12.3 s"],
  ])("%d is shown as %s", (value, text) => {
    expect(milliseconds(value)).toBe(text);
  });
});
