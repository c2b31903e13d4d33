import type { AskedApproval } from "@/api/approvals";
import type { ProblemBody } from "@/api/problem";
import type { components } from "@/api/schema";

export type Usage = components["schemas"]["Usage"];

/** A run that waits goes on after a decision; the others have ended. */
export type Status = "completed" | "failed" | "cancelled" | "waiting";

const carries = <Fields>() => ({}) as Fields; // a type's fields beside its name: only the name is there at run time

/** The events of a run as docs/streaming.md has them, and what each carries. */
const EVENTS = {
  start: carries<{ run_id: string; thread_id: string | null; runnable: string; attempt: number }>(),
  token: carries<{ content: string }>(),
  tool_start: carries<{ tool: string; call_id: string; input: unknown }>(),
  tool_end: carries<{ tool: string; call_id: string; output: string; is_error: boolean }>(),
  reasoning: carries<{ content: string }>(),
  message: carries<{ content: string }>(),
  custom: carries<{ data: unknown }>(),
  state: carries<{ node: string; data: unknown }>(),
  restart: carries<{ content: string; attempt: number }>(),
  gap: carries<{ content: string; text: string }>(),
  complete: carries<{
    content: string;
    value?: unknown;
    finish_reason?: string | null;
    usage: Usage;
    duration_ms: number;
  }>(),
  approval: carries<{ content: string; approval: AskedApproval }>(),
  unknown: carries<{ content: string; tool: string; call_id: string }>(),
  decided: carries<{ content: string; approval_id: string; decision: string; decided_by: string | null }>(),
  error: carries<{ content: string; problem: ProblemBody }>(),
  end: carries<{ status: Status }>(),
};

type Events = typeof EVENTS;

export type ServerEvent = { [Type in keyof Events]: { type: Type } & Events[Type] }[keyof Events];

export const EVENT_TYPES = Object.keys(EVENTS);

/** What the client itself knows: the connection is lost, the run is read again from its start, the last event's id. */
export type ConnectionEvent = { type: "reconnecting"; seconds: number } | { type: "seen"; id: string } | Replay;

export interface Replay {
  type: "replay";
}

export type RunEvent = ServerEvent | ConnectionEvent;

/** An event as it came; `id` is what the stream can be resumed from, where the transport has ids. */
export interface Received {
  id?: string;
  event: ServerEvent | Replay;
}

export type Stream = AsyncIterable<Received>;

export interface Question {
  text: string;
  runnable: Runnable;
  threadId: string | null;
  /** Ids of the files that it is about. */
  attachments?: string[];
  /** The runnable's whole input, in place of the text. */
  input?: unknown;
}

/** A runnable as /api/runnables lists it. */
export type Runnable = components["schemas"]["UsableRunnable"];

/** One way of asking: yields the run's events until `end`, or less when the connection breaks. */
export type Transport = (question: Question, signal: AbortSignal) => Stream;
