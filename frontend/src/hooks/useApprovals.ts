import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import {
  countPending,
  decide,
  isOutdated,
  listOfThread,
  listPending,
  type AskedApproval,
  type Decision,
} from "@/api/approvals";
import { Problem } from "@/api/problem";
import { undecidedIn, type Answer } from "@/chat/exchange";

const SOON = 3000; // milliseconds: somebody else may decide at any time
const LATER = 30_000;

/** A credential that may not see approvals does not ask for them again. */
const isRefused = (error: unknown) => error instanceof Problem && error.status === 403;

/** How many approvals the caller may decide on; undefined where the server has none. */
export function usePendingCount(): number | undefined {
  const { data } = useQuery({
    queryKey: ["approvals", "count"],
    queryFn: ({ signal }) => countPending(signal),
    refetchInterval: ({ state }) => (isRefused(state.error) ? false : LATER),
    retry: false,
  });
  return data;
}

/** The approvals that wait for the caller, page by page. */
export function usePending() {
  const { data, ...query } = useInfiniteQuery({
    queryKey: ["approvals", "pending"],
    queryFn: ({ pageParam, signal }) => listPending(pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: LATER,
  });
  return { approvals: data?.pages.flatMap((page) => page.approvals), ...query };
}

/**
 * The approvals of a thread, decided ones too. While its newest answer is undecided they are read again and again;
 * `goOn` is called with its run once nothing is left to decide.
 */
export function useThreadApprovals(threadId: string, undecided: Answer | undefined, goOn: (runId: string) => void) {
  const { data } = useQuery({
    queryKey: ["approvals", "of", threadId],
    queryFn: ({ signal }) => listOfThread(threadId, signal),
    refetchInterval: undecided ? SOON : false,
    retry: (failures, error) => failures < 2 && !(error instanceof Problem),
  });
  useEffect(() => {
    if (!undecided?.runId) return;
    const waiting = undecidedIn(undecided).map((id) => data?.find((approval) => approval.id === id)?.status);
    if (waiting.every((status) => status !== undefined && status !== "pending")) goOn(undecided.runId);
  }, [data, undecided, goOn]);
  return data ?? NONE;
}

const NONE: never[] = [];

/** Decides on an approval, and has all that shows it follow; one that is not what it was is read again, too. */
export function useDecision(approval: AskedApproval) {
  const queries = useQueryClient();
  const again = () => queries.invalidateQueries({ queryKey: ["approvals"] });
  return useMutation({
    mutationFn: (decision: Decision) => decide(approval, decision),
    onSuccess: again,
    onError: (error) => {
      if (isOutdated(error)) void again();
    },
  });
}
