import { describe, expect, it } from "vitest";
import type { RunEvent } from "@/api/events";
import { goesOn, isOver, textOfAnswer, undecidedIn, unanswered, type Answer } from "@/chat/exchange";
import { answered } from "@/chat/reducer";
import { approval } from "../approvals";
import { complete, start, token } from "../server";

const after = (...events: RunEvent[]): Answer => answered(unanswered(0), events, 100);
const called: RunEvent = { type: "tool_start", tool: "calculator", call_id: "c1", input: { expression: "6*7" } };
const returned: RunEvent = { type: "tool_end", tool: "calculator", call_id: "c1", output: "42", is_error: false };

describe("the parts of an answer", () => {
  it("keeps what a model thought and what a graph told beside the text", () => {
    const answer = after(
      start(),
      { type: "reasoning", content: "Hm" },
      { type: "reasoning", content: "…" },
      { type: "custom", data: { step: "searching" } },
      { type: "state", node: "search", data: { found: 2 } },
      token("a"),
    );
    expect(answer.parts).toEqual([
      { kind: "thoughts", text: "Hm…" },
      { kind: "step", node: null, data: { step: "searching" } },
      { kind: "step", node: "search", data: { found: 2 } },
      { kind: "text", text: "a" },
    ]);
  });

  it("has one line for a work that is counted, and another for the next", () => {
    const reading = (done: number): RunEvent => ({ type: "custom", data: { message: "Reading", done, total: 3 } });
    const writing: RunEvent = { type: "custom", data: { message: "Writing", done: 1, total: 3 } };
    const steps = after(start(), reading(1), reading(2), reading(3), writing, reading(1), {
      type: "custom",
      data: "x",
    });
    expect(steps.parts.map((part) => part.kind === "step" && part.data)).toEqual([
      { message: "Reading", done: 3, total: 3 },
      { message: "Writing", done: 1, total: 3 },
      { message: "Reading", done: 1, total: 3 },
      "x",
    ]);
  });

  it("has a finished message once, from its tokens", () => {
    const answer = after(start(), token("Let me see."), { type: "message", content: "Let me see." }, called);
    expect(answer.parts.map(({ kind }) => kind)).toEqual(["text", "tool"]);
  });

  it("takes back a text that was not the answer, and keeps the tools", () => {
    const back: RunEvent = { type: "restart", content: "", attempt: 1 };
    const answer = after(start(), token("a plan"), called, returned, back, token("42"));
    expect(answer.parts.map(({ kind }) => kind)).toEqual(["tool", "text"]);
    expect([textOfAnswer(answer), answer.restarts]).toEqual(["42", 0]);
  });

  it("has what the runnable returned beside its text", () => {
    const value = { answer: "a", context: [] };
    expect(after(start(), token("a"), { ...complete("a"), value } as RunEvent).value).toEqual(value);
  });
});

describe("what a person decides", () => {
  const asked: RunEvent = { type: "approval", content: "It waits.", approval: approval() };
  const decided: RunEvent = {
    type: "decided",
    content: "Alice approved transfer_money.",
    approval_id: approval().id,
    decision: "approve",
    decided_by: "Alice",
  };
  const waiting = after(
    start(),
    token("I pay."),
    asked,
    { type: "seen", id: "1-3" },
    { type: "end", status: "waiting" },
  );

  it("is waited for, and what came until then is kept", () => {
    expect(waiting).toMatchObject({ state: "undecided", lastId: "1-3" });
    expect(waiting.parts.map(({ kind }) => kind)).toEqual(["text", "approval"]);
    expect(undecidedIn(waiting)).toEqual([approval().id]);
    expect(goesOn(waiting) || isOver(waiting)).toBe(false);
  });

  it("lets the same answer go on, in the next attempt", () => {
    const again = answered(waiting, [decided, token("Paid.")], 900);
    expect(again).toMatchObject({ state: "streaming", attempt: 2, pace: { asked: 900, first: 900 } });
    expect(undecidedIn({ ...again, state: "undecided" })).toEqual([]);
    const taken = answered(again, [{ type: "restart", content: "", attempt: 2 }], 950);
    expect(taken.restarts).toBe(0); // the words alone are taken back
  });

  it("is not forgotten when the server goes away after it", () => {
    const lost = answered(waiting, [decided, token("Pa"), { type: "restart", content: "", attempt: 3 }], 900);
    expect(lost.restarts).toBe(1);
    expect(lost.parts.map(({ kind }) => kind)).toEqual(["text", "approval"]);
  });
});
