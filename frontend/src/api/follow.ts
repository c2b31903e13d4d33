import type { Received, RunEvent, Stream } from "@/api/events";
import { Interrupted, Problem } from "@/api/problem";
import { joinRun } from "@/api/runs";
import { waited } from "@/api/waiting";

const FIRST_PAUSE = 0.5; // seconds
const LONGEST_PAUSE = 10;

interface Place {
  runId: string | undefined;
  lastId: string | undefined;
}

/**
 * Yields a run's events up to its `end`, over as many connections as that takes: a stream that breaks off is
 * joined again after its last event id, with pauses that grow. A transport without ids is replayed from the
 * run's start. Raises Problem when the server refuses, Interrupted when the run's id never came.
 */
export async function* follow(first: Stream, signal: AbortSignal): AsyncGenerator<RunEvent> {
  yield* followFrom(first, { runId: undefined, lastId: undefined }, signal);
}

/** Yields the events of a run that goes on elsewhere, after `lastId` or from its start, as `follow` does. */
export async function* rejoin(runId: string, signal: AbortSignal, lastId?: string): AsyncGenerator<RunEvent> {
  yield* followFrom(joinRun(runId, lastId, signal), { runId, lastId }, signal);
}

async function* followFrom(first: Stream, place: Place, signal: AbortSignal): AsyncGenerator<RunEvent> {
  let stream = first;
  let pause = FIRST_PAUSE;
  for (;;) {
    let loss: unknown;
    try {
      for await (const item of stream) {
        pause = FIRST_PAUSE;
        remember(place, item);
        if (item.event.type === "end" && place.lastId) yield { type: "seen", id: place.lastId };
        yield item.event;
        if (item.event.type === "end") return;
      }
    } catch (error) {
      if (signal.aborted || !isLoss(error, place)) throw error;
      loss = error;
    }
    signal.throwIfAborted();
    if (!place.runId) throw new Interrupted(loss);
    const seconds = Math.max(pause, askedFor(loss));
    yield { type: "reconnecting", seconds };
    await waited(seconds, signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
    if (!place.lastId) yield { type: "replay" };
    stream = joinRun(place.runId, place.lastId, signal);
  }
}

function remember(place: Place, { id, event }: Received): void {
  if (event.type === "start") place.runId = event.run_id;
  if (id !== undefined) place.lastId = id;
}

/**
 * Tells a lost connection, or a server that is away for a moment, from an answer that stays what it is. A limit
 * refuses a run for good, but only delays the reading of one that has begun.
 */
function isLoss(error: unknown, { runId }: Place): boolean {
  return !(error instanceof Problem) || error.passing || (runId !== undefined && error.soon);
}

const askedFor = (error: unknown): number => (error instanceof Problem ? (error.retryAfter ?? 0) : 0);
