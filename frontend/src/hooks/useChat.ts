import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";
import type { Runnable } from "@/api/events";
import { follow, rejoin } from "@/api/follow";
import { identifier } from "@/api/identifier";
import { cancelRun } from "@/api/runs";
import { listMessages } from "@/api/threads";
import { fetchSse } from "@/api/transports/fetchSse";
import { remoteRunnable } from "@/api/transports/remoteRunnable";
import { goesOn, unanswered, type Answer, type Exchange } from "@/chat/exchange";
import { exchangesOf, pendingIn } from "@/chat/history";
import { takeOver, type Asked } from "@/hooks/handover";
import { useBranching } from "@/hooks/useBranching";
import { useSession } from "@/hooks/session";
import { useLive } from "@/hooks/useLive";

/**
 * A thread as a conversation: what the server has of it, and what streams now. A question whose run still goes
 * on, say after a reload, is joined again. `restore` gets the text of a question that was never sent.
 */
export function useChat(threadId: string, runnable: Runnable | undefined, restore: (text: string) => void) {
  const queries = useQueryClient();
  const { signIns } = useSession();

  const onEnd = useCallback(() => {
    void queries.invalidateQueries({ queryKey: ["messages", threadId], refetchType: "none" });
    void queries.invalidateQueries({ queryKey: ["thread", threadId] });
    void queries.invalidateQueries({ queryKey: ["threads"] });
    void queries.invalidateQueries({ queryKey: ["approvals"] });
    void queries.invalidateQueries({ queryKey: ["me"] });
  }, [queries, threadId]);

  const { live, follow: show, stop, drop, clear } = useLive(onEnd);
  const history = useQuery({
    queryKey: ["messages", threadId],
    queryFn: ({ signal }) => listMessages(threadId, signal),
    select: exchangesOf,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });

  const ask = useCallback(
    ({ text, files, input }: Asked) => {
      if (!runnable) return;
      const answer = unanswered(performance.now());
      const more = input !== undefined && { input };
      const exchange: Exchange = { key: identifier(), question: text, answer, attachments: files, ...more };
      const question = { text, runnable, threadId, attachments: files.map(({ id }) => id), ...more };
      // LangServe's input has no place for files, and its stream of some inputs none for the run's own events
      const transport = files.length || more ? fetchSse : remoteRunnable;
      void show(exchange, (signal) => follow(transport(question, signal), signal));
    },
    [runnable, threadId, show],
  );

  const exchanges = useMemo(() => merged(history.data ?? [], live), [history.data, live]);
  const current = exchanges.at(-1);

  useEffect(() => {
    const question = runnable && takeOver(threadId);
    if (question) ask(question);
  }, [runnable, threadId, ask]);

  const pending = history.data && !live.length ? pendingIn(history.data) : undefined;
  useEffect(() => {
    if (pending) void show(pending, (signal) => rejoin(pending.key, signal));
  }, [pending, show]);

  // kept at once: signing in by another way leaves the page
  const unsent = current?.answer.state === "signed-out" && !current.answer.runId ? current.question : undefined;
  useEffect(() => {
    if (unsent) restore(unsent);
  }, [unsent, restore]);

  // somebody signed in again: what had begun goes on, what had not is a draft again
  useEffect(() => {
    if (!signIns || current?.answer.state !== "signed-out") return;
    const { key, answer } = current;
    if (answer.runId) {
      const runId = answer.runId;
      void show({ ...current, answer: unanswered(null, runId) }, (signal) => rejoin(runId, signal));
    } else {
      drop(key);
    }
    // only at a sign-in: the other values are those of that moment
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [signIns]);

  // a run that waited is read on where it stopped, once somebody has decided
  const resume = useCallback(
    (runId: string) => {
      if (!current || current.answer.runId !== runId || current.answer.state !== "undecided") return;
      const { lastId } = current.answer;
      const answer: Answer = { ...(lastId ? current.answer : unanswered(null, runId)), state: "waiting" };
      void show({ ...current, answer }, (signal) => rejoin(runId, signal, lastId ?? undefined));
    },
    [current, show],
  );
  const undecided = current?.answer.state === "undecided" ? current.answer : undefined;
  const giveUp = useCallback(() => {
    const runId = undecided?.runId;
    if (!runId) return;
    void cancelRun(runId).then(
      () => resume(runId),
      () => undefined,
    );
  }, [undecided, resume]);

  const branching = useBranching(threadId, clear);
  const busy = current !== undefined && live.includes(current) && goesOn(current.answer);
  const loading = history.isPending;
  return { exchanges, busy, undecided, resume, giveUp, loading, error: history.error, ask, stop, drop, branching };
}

/** What is live stands in place of what the server had of the same run. */
function merged(history: Exchange[], live: Exchange[]): Exchange[] {
  const runs = new Set(live.map(({ answer }) => answer.runId));
  return [...history.filter(({ answer }) => !runs.has(answer.runId)), ...live];
}
