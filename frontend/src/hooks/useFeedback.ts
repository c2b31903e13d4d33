import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { giveFeedback, listFeedback, withdrawFeedback, type Feedback, type Score } from "@/api/feedback";

/** What the caller thinks of the answers of a thread, by run. */
export function useFeedback(threadId: string) {
  const queries = useQueryClient();
  const key = ["feedback", threadId];
  const { data } = useQuery({ queryKey: key, queryFn: ({ signal }) => listFeedback(threadId, signal) });

  const keep = (runId: string, given: Feedback | undefined) =>
    queries.setQueryData<Feedback[]>(key, (items = []) => [
      ...items.filter(({ run_id }) => run_id !== runId),
      ...(given ? [given] : []),
    ]);

  const give = useMutation({
    mutationFn: ({ runId, score, comment }: { runId: string; score: Score; comment: string }) =>
      giveFeedback(runId, score, comment),
    onSuccess: (given) => keep(given.run_id, given),
  });
  const withdraw = useMutation({
    mutationFn: withdrawFeedback,
    onSuccess: (_nothing, runId) => keep(runId, undefined),
  });
  return { of: (runId: string) => data?.find(({ run_id }) => run_id === runId), give, withdraw };
}
