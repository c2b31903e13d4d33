import { useCallback, useEffect, useRef, useState } from "react";
import type { Runnable, Transport } from "@/api/events";
import { Problem } from "@/api/problem";
import { beginThread, deleteThread } from "@/api/threads";
import { eventSource } from "@/api/transports/eventSource";
import { fetchSse } from "@/api/transports/fetchSse";
import { remoteRunnable } from "@/api/transports/remoteRunnable";
import { rest } from "@/api/transports/rest";
import { webSocket } from "@/api/transports/webSocket";
import type { AnswerState, Pace } from "@/chat/exchange";
import { unanswered } from "@/chat/exchange";
import { answered } from "@/chat/reducer";

const TRANSPORTS: { name: string; how: string; transport: Transport }[] = [
  { name: "RemoteRunnable", how: "@langchain/core over LangServe", transport: remoteRunnable },
  { name: "fetch", how: "POST /api/chat/stream, typed events", transport: fetchSse },
  { name: "EventSource", how: "GET /api/chat/stream", transport: eventSource },
  { name: "WebSocket", how: "/ws/chat/, typed events", transport: webSocket },
  { name: "REST", how: "POST /api/chat, in one piece", transport: rest },
];

/** How one transport did. `total` is in milliseconds, null until the answer has ended. */
export interface Lap {
  name: string;
  how: string;
  state: "waiting" | "running" | "done" | "failed";
  pace: Pace | null;
  total: number | null;
  trouble: string | null;
}

const waiting = (): Lap[] =>
  TRANSPORTS.map(({ name, how }) => ({ name, how, state: "waiting", pace: null, total: null, trouble: null }));

/** Asks one question over every transport in turn. */
export function useRace() {
  const [laps, setLaps] = useState<Lap[]>(waiting);
  const [running, setRunning] = useState(false);
  const controller = useRef<AbortController | null>(null);

  const start = useCallback(async (text: string, runnable: Runnable) => {
    const own = (controller.current = new AbortController());
    setRunning(true);
    setLaps(waiting());
    for (const { name, transport } of TRANSPORTS) {
      if (own.signal.aborted) break;
      const change = (lap: Partial<Lap>) =>
        setLaps((items) => items.map((item) => (item.name === name ? { ...item, ...lap } : item)));
      change({ state: "running" });
      change(await timed(transport, text, runnable, own.signal));
    }
    setRunning(false);
  }, []);

  const stop = useCallback(() => controller.current?.abort(), []);
  useEffect(() => stop, [stop]);
  return { laps, running, start, stop };
}

const broken = (state: AnswerState) => (state === "undecided" ? "It waits for a decision." : "The stream broke off.");

async function timed(
  transport: Transport,
  text: string,
  runnable: Runnable,
  signal: AbortSignal,
): Promise<Partial<Lap>> {
  let threadId: string | undefined;
  try {
    threadId = (await beginThread(runnable.name)).id;
    const asked = performance.now();
    let answer = unanswered(asked);
    for await (const { event } of transport({ text, runnable, threadId }, signal)) {
      answer = answered(answer, [event], performance.now());
    }
    if (answer.state !== "complete") return { state: "failed", trouble: answer.trouble ?? broken(answer.state) };
    return { state: "done", pace: answer.pace, total: performance.now() - asked };
  } catch (error) {
    const stopped = signal.aborted ? "Stopped." : "The connection broke off.";
    return { state: "failed", trouble: error instanceof Problem ? error.message : stopped };
  } finally {
    if (threadId) await deleteThread(threadId).catch(() => undefined);
  }
}
