import type { ProblemBody } from "@/api/problem";
import type { components } from "@/api/schema";

export type Usage = components["schemas"]["Usage"];

export type Status = "completed" | "failed" | "cancelled";

/** The events of a run as docs/streaming.md has them. */
export type ServerEvent =
  | { type: "start"; run_id: string; thread_id: string | null; runnable: string; attempt: number }
  | { type: "token"; content: string }
  | { type: "tool_start"; tool: string; call_id: string; input: unknown }
  | { type: "tool_end"; tool: string; call_id: string; output: string; is_error: boolean }
  | { type: "restart"; content: string; attempt: number }
  | { type: "gap"; content: string; text: string }
  | { type: "complete"; content: string; usage: Usage; duration_ms: number }
  | { type: "error"; content: string; problem: ProblemBody }
  | { type: "end"; status: Status };

/** What the client itself knows: the connection is lost, or the run is read again from its start. */
export type ConnectionEvent = { type: "reconnecting"; seconds: number } | { type: "replay" };

export type RunEvent = ServerEvent | ConnectionEvent;

/** An event as it came; `id` is what the stream can be resumed from, where the transport has ids. */
export interface Received {
  id?: string;
  event: ServerEvent;
}

export type Stream = AsyncIterable<Received>;

export interface Question {
  text: string;
  runnable: Runnable;
  threadId: string | null;
}

/** A runnable as /api/runnables lists it. */
export type Runnable = components["schemas"]["UsableRunnable"];

/** One way of asking: yields the run's events until `end`, or less when the connection breaks. */
export type Transport = (question: Question, signal: AbortSignal) => Stream;
