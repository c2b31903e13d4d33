import type { AskedApproval } from "@/api/approvals";
import type { ConnectionEvent, RunEvent, Status } from "@/api/events";
import { goesFurther } from "@/chat/progress";
import { textOfAnswer, type Answer, type AnswerState, type Pace, type Part } from "@/chat/exchange";

const END_STATES: Record<Status, AnswerState> = {
  completed: "complete",
  cancelled: "stopped",
  failed: "failed",
  waiting: "undecided",
};

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
    case "seen":
    case "replay":
    case "reconnecting":
      return connected(answer, event);
    case "decided":
      return decided(answer, event.approval_id, event.content, now);
    case "complete":
      return finished(answer, event);
    case "message": // its words came as tokens
      return answer;
    case "error":
      return { ...answer, trouble: event.content };
    case "end":
      return { ...answer, state: END_STATES[event.status] ?? "failed", pause: null };
    default:
      return came(answer, withPart(answer, event), now, event.type === "token" ? event.content.length : 0);
  }
}

function finished(answer: Answer, event: Extract<RunEvent, { type: "complete" }>): Answer {
  return {
    ...answer,
    parts: settled(answer, event.content),
    value: event.value ?? null,
    usage: event.usage,
    finishReason: event.finish_reason ?? null,
    pause: null,
  };
}

/** What the client itself knows of its connection. */
function connected(answer: Answer, event: ConnectionEvent): Answer {
  if (event.type === "seen") return { ...answer, lastId: event.id };
  if (event.type === "reconnecting") return { ...answer, state: "reconnecting", pause: event.seconds };
  return { ...answer, parts: [], restarts: 0, pace: anew(answer.pace) };
}

type Adding = "token" | "reasoning" | "custom" | "state" | "tool_start" | "tool_end" | "unknown" | "approval";
type PartEvent = Extract<RunEvent, { type: Adding }>;

/** Returns the parts with what an event adds to them. */
function withPart(answer: Answer, event: PartEvent): Part[] {
  const { parts } = answer;
  switch (event.type) {
    case "approval":
      return withApproval(answer, event.approval);
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
    case "unknown": // nobody knows whether the tool has acted, which is what the model is told
      return withResult(parts, event.call_id, event.content, true);
  }
}

/** A text that was not the answer goes; all goes of an attempt whose server is gone. */
function begunAgain(answer: Answer, attempt: number): Answer {
  if (attempt === answer.attempt) return { ...answer, parts: answer.parts.filter(({ kind }) => kind !== "text") };
  const restarts = answer.restarts + 1;
  // what came before a decision was of an attempt that had come to its end
  const kept = answer.parts.slice(0, answer.parts.findLastIndex(({ kind }) => kind === "approval") + 1);
  return { ...answer, state: "streaming", parts: kept, attempt, restarts, pause: null };
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

function withApproval({ parts, attempt }: Answer, approval: AskedApproval): Part[] {
  if (parts.some((part) => part.kind === "approval" && part.approval.id === approval.id)) return parts;
  return [...parts, { kind: "approval", approval, attempt, decided: null }];
}

/** The run goes on in the attempt after the one that asked; how fast it is is measured from now. */
function decided(answer: Answer, id: string, content: string, now: number): Answer {
  const asked = answer.parts.find((part) => part.kind === "approval" && part.approval.id === id);
  const parts = answer.parts.map((part) => (part === asked ? { ...part, decided: content } : part));
  const attempt = asked?.kind === "approval" ? Math.max(answer.attempt, asked.attempt + 1) : answer.attempt;
  const { pace: before } = answer;
  const pace = before && { ...before, asked: now, first: null, last: null, tokens: 0, characters: 0 };
  return { ...answer, state: "streaming", parts, attempt, pace };
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
