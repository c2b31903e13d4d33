import type { RunEvent } from "@/api/events";
import { goesFurther } from "@/chat/progress";
import { textOfAnswer, type Answer, type AnswerState, type Pace, type Part } from "@/chat/exchange";

const END_STATES: Record<string, AnswerState> = { completed: "complete", cancelled: "stopped", failed: "failed" };

/** Returns the answer after these events, which came at `now` (milliseconds). Pure. */
export function answered(answer: Answer, events: readonly RunEvent[], now: number): Answer {
  return events.reduce((before, event) => step(before, event, now), answer);
}

function step(answer: Answer, event: RunEvent, now: number): Answer {
  switch (event.type) {
    case "start":
      return { ...answer, runId: event.run_id, attempt: event.attempt, pause: null };
    case "restart":
      return begunAgain(answer, event.attempt);
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
        value: event.value ?? null,
        usage: event.usage,
        finishReason: event.finish_reason ?? null,
        pause: null,
      };
    case "message": // its words came as tokens
      return answer;
    case "error":
      return { ...answer, trouble: event.content };
    case "end":
      return { ...answer, state: END_STATES[event.status] ?? "failed", pause: null };
    default:
      return came(answer, withPart(answer.parts, event), now, event.type === "token" ? event.content.length : 0);
  }
}

type PartEvent = Extract<RunEvent, { type: "token" | "reasoning" | "custom" | "state" | "tool_start" | "tool_end" }>;

/** Returns the parts with what an event adds to them. */
function withPart(parts: Part[], event: PartEvent): Part[] {
  switch (event.type) {
    case "token":
      return withText(parts, "text", event.content);
    case "reasoning":
      return withText(parts, "thoughts", event.content);
    case "custom":
      return withProgress(parts, event.data);
    case "state":
      return [...parts, { kind: "step", node: event.node, data: event.data }];
    case "tool_start":
      return withTool(parts, event.call_id, event.tool, event.input);
    case "tool_end":
      return withResult(parts, event.call_id, event.output, event.is_error);
  }
}

/** A text that was not the answer goes; all goes of an attempt whose server is gone. */
function begunAgain(answer: Answer, attempt: number): Answer {
  if (attempt === answer.attempt) return { ...answer, parts: answer.parts.filter(({ kind }) => kind !== "text") };
  const restarts = answer.restarts + 1;
  return { ...answer, state: "streaming", parts: [], attempt, restarts, pause: null };
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

function withText(parts: Part[], kind: "text" | "thoughts", text: string): Part[] {
  const last = parts.at(-1);
  if (last?.kind !== kind) return text ? [...parts, { kind, text }] : parts;
  return [...parts.slice(0, -1), { kind, text: last.text + text }];
}

/** A line of progress goes on where the last one was. */
function withProgress(parts: Part[], data: unknown): Part[] {
  const last = parts.at(-1);
  const same = last?.kind === "step" && last.node === null && goesFurther(last.data, data);
  return [...(same ? parts.slice(0, -1) : parts), { kind: "step", node: null, data }];
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
  const others = answer.parts.filter((part) => part.kind !== "text");
  return whole ? [...others, { kind: "text", text: whole }] : others;
}
