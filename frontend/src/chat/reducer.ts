import type { RunEvent } from "@/api/events";
import { textOfAnswer, type Answer, type AnswerState, type Pace, type Part } from "@/chat/exchange";

const END_STATES: Record<string, AnswerState> = { completed: "complete", cancelled: "stopped", failed: "failed" };

/** Returns the answer after these events, which came at `now` (milliseconds). Pure. */
export function answered(answer: Answer, events: readonly RunEvent[], now: number): Answer {
  return events.reduce((before, event) => step(before, event, now), answer);
}

function step(answer: Answer, event: RunEvent, now: number): Answer {
  switch (event.type) {
    case "start":
      return { ...answer, runId: event.run_id, pause: null };
    case "token":
      return came(answer, withText(answer.parts, event.content), now, event.content.length);
    case "tool_start":
      return came(answer, withTool(answer.parts, event.call_id, event.tool, event.input), now);
    case "tool_end":
      return came(answer, withResult(answer.parts, event.call_id, event.output, event.is_error), now);
    case "restart":
      return { ...answer, state: "streaming", parts: [], restarts: answer.restarts + 1, pause: null };
    case "gap":
      return came(answer, settled(answer, event.text), now);
    case "replay":
      return { ...answer, parts: [], restarts: 0, pace: anew(answer.pace) };
    case "reconnecting":
      return { ...answer, state: "reconnecting", pause: event.seconds };
    case "complete":
      return {
        ...answer,
        parts: settled(answer, event.content),
        usage: event.usage,
        finishReason: event.finish_reason ?? null,
        pause: null,
      };
    case "error":
      return { ...answer, trouble: event.content };
    case "end":
      return { ...answer, state: END_STATES[event.status] ?? "failed", pause: null };
  }
}

function came(answer: Answer, parts: Part[], now: number, characters = 0): Answer {
  const pace = characters ? quickened(answer.pace, now, characters) : answer.pace;
  return { ...answer, state: "streaming", pause: null, parts, pace };
}

function quickened(pace: Pace | null, now: number, characters: number): Pace | null {
  return (
    pace && {
      ...pace,
      first: pace.first ?? now,
      last: now,
      tokens: pace.tokens + 1,
      characters: pace.characters + characters,
    }
  );
}

const anew = (pace: Pace | null): Pace | null => pace && { ...pace, last: null, tokens: 0, characters: 0 };

function withText(parts: Part[], text: string): Part[] {
  const last = parts.at(-1);
  if (last?.kind !== "text") return text ? [...parts, { kind: "text", text }] : parts;
  return [...parts.slice(0, -1), { kind: "text", text: last.text + text }];
}

function withTool(parts: Part[], callId: string, tool: string, input: unknown): Part[] {
  if (parts.some((part) => part.kind === "tool" && part.callId === callId)) return parts;
  return [...parts, { kind: "tool", callId, tool, input, output: null, isError: false }];
}

function withResult(parts: Part[], callId: string, output: string, isError: boolean): Part[] {
  return parts.map((part) => (part.kind === "tool" && part.callId === callId ? { ...part, output, isError } : part));
}

/** The server's whole text stands above what was put together, should they ever differ. */
function settled(answer: Answer, whole: string): Part[] {
  if (textOfAnswer(answer) === whole) return answer.parts;
  const tools = answer.parts.filter((part) => part.kind === "tool");
  return whole ? [...tools, { kind: "text", text: whole }] : tools;
}
