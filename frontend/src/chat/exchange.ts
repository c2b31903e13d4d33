import type { Attached } from "@/api/attachments";
import type { AskedApproval } from "@/api/approvals";
import type { Usage } from "@/api/events";

export interface TextPart {
  kind: "text";
  text: string;
}

export interface ToolPart {
  kind: "tool";
  callId: string;
  tool: string;
  input: unknown;
  output: string | null;
  isError: boolean;
}

/** What the model thought before it answered. */
export interface ThoughtsPart {
  kind: "thoughts";
  text: string;
}

/** What a node of a graph told or wrote, in the order in which it came. */
export interface StepPart {
  kind: "step";
  node: string | null;
  data: unknown;
}

/** What the run waits, or waited, for: a person's word. */
export interface ApprovalPart {
  kind: "approval";
  approval: AskedApproval;
  /** Of the run, which asked for it. */
  attempt: number;
  /** Who decided what, once the run has gone on. */
  decided: string | null;
}

export type Part = TextPart | ToolPart | ThoughtsPart | StepPart | ApprovalPart;

/**
 * waiting: nothing came yet. streaming: it comes. reconnecting: the connection is lost. signed-out: the server
 * wants to know who asks before it goes on. undecided: the run waits for a person's word. The others are the end.
 */
export type AnswerState =
  "waiting" | "streaming" | "reconnecting" | "signed-out" | "undecided" | "complete" | "stopped" | "failed";

/** When things happened, in milliseconds of one clock, and how much came. */
export interface Pace {
  asked: number;
  first: number | null;
  last: number | null;
  tokens: number;
  characters: number;
}

export interface Answer {
  runId: string | null;
  state: AnswerState;
  parts: Part[];
  /** What the runnable returned that is no message, such as the documents of an answer. */
  value: unknown;
  /** Which attempt of its run it is of. */
  attempt: number;
  /** Attempts before this one that a crash ended. */
  restarts: number;
  /** A sentence about what went wrong. */
  trouble: string | null;
  retryAfter: number | null;
  /** Seconds until the next try to connect. */
  pause: number | null;
  usage: Usage | null;
  /** How the answer ended, as the server tells it; null while it has not. */
  finishReason: string | null;
  pace: Pace | null;
  /** The event after which its run is read on once it was decided; null to read it from its start. */
  lastId: string | null;
}

/** A question and its answer. */
export interface Exchange {
  key: string;
  question: string;
  /** What was asked, where that is more than the text. */
  input?: unknown;
  answer: Answer;
  /** The id of the question's message, once the server has told it. */
  messageId?: string;
  /** Ids of the questions that were asked in its place, this one among them; none when there is no other. */
  branches?: string[];
  attachments?: readonly Attached[];
}

export const unanswered = (asked: number | null = null, runId: string | null = null): Answer => ({
  runId,
  state: "waiting",
  parts: [],
  value: null,
  attempt: 1,
  restarts: 0,
  trouble: null,
  retryAfter: null,
  pause: null,
  usage: null,
  finishReason: null,
  lastId: null,
  pace: asked === null ? null : { asked, first: null, last: null, tokens: 0, characters: 0 },
});

export const textOfAnswer = (answer: Answer): string =>
  answer.parts.map((part) => (part.kind === "text" ? part.text : "")).join("");

const ENDED = new Set<AnswerState>(["complete", "stopped", "failed"]);

/** Ids of the approvals that the answer waits for. */
export const undecidedIn = ({ state, parts }: Answer): string[] =>
  state === "undecided"
    ? parts.flatMap((part) => (part.kind === "approval" && part.decided === null ? [part.approval.id] : []))
    : [];

export const isOver = (answer: Answer): boolean => ENDED.has(answer.state);

const RESTING = new Set<AnswerState>(["signed-out", "undecided"]);

export const goesOn = (answer: Answer): boolean => !isOver(answer) && !RESTING.has(answer.state);
