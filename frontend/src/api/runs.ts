import type { ServerEvent, Stream } from "@/api/events";
import { get, json, send } from "@/api/http";
import type { ProblemBody } from "@/api/problem";
import { runEventsOf } from "@/api/received";
import type { components } from "@/api/schema";

export type RunState = components["schemas"]["RunState"];

export const readRun = (runId: string, signal?: AbortSignal) => get<RunState>(`/api/runs/${runId}`, signal);

/** Stops the run now; what came is kept. */
export const cancelRun = (runId: string) => json<RunState>("POST", `/api/runs/${runId}/cancel`);

/** Yields the run's events after `lastId`, or all of them. Raises Problem, with 404 for a run that is gone. */
export async function* joinRun(runId: string, lastId: string | undefined, signal: AbortSignal): Stream {
  const headers = { accept: "text/event-stream", ...(lastId && { "last-event-id": lastId }) };
  const response = await send(`/api/runs/${runId}/stream`, { headers, signal });
  if (response.status === 204) {
    for (const event of closing(await readRun(runId, signal))) yield { event };
  } else {
    yield* runEventsOf(response);
  }
}

/**
 * Returns the last events of a run that has ended, as its state tells them. Its text comes with them: a stream
 * that fails drops what it had not handed out yet.
 */
export function closing(run: RunState): ServerEvent[] {
  if (run.state === "running") return [];
  const ended: ServerEvent = { type: "end", status: run.state };
  if (run.state === "waiting") return [ended];
  if (run.state === "completed") {
    const { text, value, finish_reason, usage } = run;
    return [{ type: "complete", content: text, value, finish_reason, usage, duration_ms: 0 }, ended];
  }
  const text: ServerEvent = { type: "gap", content: "", text: run.text };
  const problem: ProblemBody | null = run.problem;
  if (!problem) return [text, ended];
  return [text, { type: "error", content: problem.detail ?? "The run failed.", problem }, ended];
}
