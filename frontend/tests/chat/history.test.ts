import { describe, expect, it } from "vitest";
import type { Message } from "@/api/threads";
import { exchangesOf, pendingIn } from "@/chat/history";
import { usage } from "../server";

const human = (run_id: string, content: string): Message => ({
  id: `h${run_id}`,
  run_id,
  role: "human",
  content,
  tool_calls: [],
  status: null,
  usage: null,
  created_at: "2026-11-21T09:00:00Z",
  branches: [],
});
const ai = (run_id: string, content: string, more: Partial<Message> = {}): Message => ({
  ...human(run_id, content),
  id: `a${run_id}`,
  role: "ai",
  status: "complete",
  usage,
  ...more,
});

describe("a thread's history", () => {
  it("pairs questions with their answers", () => {
    const exchanges = exchangesOf([
      human("1", "Hi"),
      ai("1", "Hello"),
      human("2", "And?"),
      ai("2", "So", { status: "partial" }),
    ]);
    expect(exchanges.map(({ question, answer }) => [question, answer.state])).toEqual([
      ["Hi", "complete"],
      ["And?", "stopped"],
    ]);
    expect(exchanges[0]!.answer).toMatchObject({ runId: "1", usage, parts: [{ kind: "text", text: "Hello" }] });
  });

  it("shows the tools that an answer used, also those that never returned", () => {
    const call = { tool: "calculator", call_id: "c", input: { expression: "1" } };
    const [exchange] = exchangesOf([
      human("1", "Hi"),
      ai("1", "", {
        status: "failed",
        tool_calls: [
          { ...call, output: "1", is_error: false },
          { ...call, call_id: "d", output: null, is_error: false },
        ],
      }),
    ]);
    expect(exchange!.answer.state).toBe("failed");
    expect(exchange!.answer.parts).toMatchObject([
      { callId: "c", output: "1" },
      { callId: "d", output: null },
    ]);
  });

  it("knows the others that were asked in a question's place, and what it is about", () => {
    const file = { id: "f", name: "a.png", media_type: "image/png", size: 3 };
    const asked = { ...human("1", "Hi"), branches: ["h0", "h1"], attachments: [file] };
    expect(exchangesOf([asked])[0]).toMatchObject({ messageId: "h1", branches: ["h0", "h1"], attachments: [file] });
    expect(exchangesOf([human("1", "Hi")])[0]).toMatchObject({ branches: [], attachments: [] });
  });

  it("knows the question whose run still goes on", () => {
    expect(pendingIn(exchangesOf([human("1", "Hi"), ai("1", "Hello")]))).toBeUndefined();
    expect(pendingIn(exchangesOf([human("1", "Hi"), ai("1", "Hello"), human("2", "And?")]))?.key).toBe("2");
    expect(pendingIn([])).toBeUndefined();
  });
});
