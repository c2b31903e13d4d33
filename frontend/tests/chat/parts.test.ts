import { describe, expect, it } from "vitest";
import type { RunEvent } from "@/api/events";
import { textOfAnswer, unanswered, type Answer } from "@/chat/exchange";
import { answered } from "@/chat/reducer";
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
