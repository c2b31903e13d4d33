import { useCallback, useEffect, useRef, useState } from "react";
import type { RunEvent } from "@/api/events";
import { cancelRun } from "@/api/runs";
import type { Answer, Exchange } from "@/chat/exchange";
import { isOver } from "@/chat/exchange";
import { failed } from "@/chat/failure";
import { Frames } from "@/chat/frames";
import { answered } from "@/chat/reducer";

const STOP_MS = 4000; // after which a stop is shown though the server has not confirmed it

type Source = (signal: AbortSignal) => AsyncIterable<RunEvent>;

interface Following {
  controller: AbortController;
  runId: string | null;
  stopping: boolean;
}

/** Exchanges whose answers stream here, or did. `follow` streams one; `stop` ends the run of the one that does. */
export function useLive(onEnd: () => void) {
  const [live, setLive] = useState<Exchange[]>([]);
  const following = useRef<Following | null>(null);

  const change = useCallback((key: string, next: (answer: Answer) => Answer) => {
    setLive((items) => items.map((item) => (item.key === key ? { ...item, answer: next(item.answer) } : item)));
  }, []);

  const follow = useCallback(
    async (exchange: Exchange, source: Source) => {
      const own: Following = { controller: new AbortController(), runId: exchange.answer.runId, stopping: false };
      const { signal } = own.controller;
      following.current = own;
      setLive((items) => [...items.filter(({ key }) => key !== exchange.key), exchange]);
      const frames = new Frames<RunEvent>((events) =>
        change(exchange.key, (answer) => answered(answer, events, performance.now())),
      );
      try {
        for await (const event of source(signal)) {
          frames.push(event);
          if (event.type !== "start") continue;
          own.runId = event.run_id;
          if (own.stopping) void cancelRun(event.run_id).catch(() => own.controller.abort());
        }
        frames.flush();
      } catch (error) {
        frames.flush();
        change(exchange.key, (answer) => (signal.aborted ? stopped(answer) : failed(answer, error)));
      } finally {
        if (following.current === own) following.current = null;
        if (own.runId) onEnd(); // a run that was refused changed nothing, and its limit is not to be spent on looking
      }
    },
    [change, onEnd],
  );

  const stop = useCallback(() => {
    const own = following.current;
    if (!own || own.stopping) return;
    own.stopping = true;
    setTimeout(() => own.controller.abort(), STOP_MS);
    if (own.runId) void cancelRun(own.runId).catch(() => own.controller.abort());
  }, []);

  const clear = useCallback(() => {
    following.current?.controller.abort();
    setLive([]);
  }, []);

  const drop = useCallback((key: string) => setLive((items) => items.filter((item) => item.key !== key)), []);

  useEffect(() => () => following.current?.controller.abort(), []);

  return { live, follow, stop, drop, clear };
}

const stopped = (answer: Answer): Answer => (isOver(answer) ? answer : { ...answer, state: "stopped", pause: null });
