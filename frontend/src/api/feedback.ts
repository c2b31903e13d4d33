import { get, json } from "@/api/http";
import type { components } from "@/api/schema";

export type Feedback = components["schemas"]["Feedback"];
export type Score = Feedback["score"];

/** Stores the caller's opinion of a run's answer; a later one replaces it. */
export const giveFeedback = (runId: string, score: Score, comment: string) =>
  json<Feedback>("PUT", `/api/feedback/${runId}`, { score, comment });

export const withdrawFeedback = (runId: string) => json<undefined>("DELETE", `/api/feedback/${runId}`);

export const listFeedback = async (threadId: string, signal?: AbortSignal) =>
  (await get<components["schemas"]["FeedbackList"]>(`/api/feedback?thread_id=${encodeURIComponent(threadId)}`, signal))
    .items;
