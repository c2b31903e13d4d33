import { get, json } from "@/api/http";
import { Problem } from "@/api/problem";
import type { components } from "@/api/schema";

export type Approval = components["schemas"]["Approval"];

/** What a run waits for, as its event tells it: without what becomes of it. */
export type AskedApproval = Pick<
  Approval,
  "id" | "kind" | "tool" | "args" | "value" | "description" | "allowed" | "schema" | "digest" | "expires_at" | "same_as"
>;

/** What a person decides. */
export type Decision =
  | { decision: "approve" | "run_again" | "give_up" }
  | { decision: "edit"; args: unknown }
  | { decision: "reject"; message?: string }
  | { decision: "respond"; message?: string; response?: unknown }
  | { decision: "happened"; result?: unknown };

type ApprovalPage = components["schemas"]["ApprovalPage"];

const PAGE = 50;

/** Returns those that wait for somebody, the newest first, page by page. */
export const listPending = (cursor: string | null, signal?: AbortSignal) =>
  get<ApprovalPage>(
    `/api/approvals?status=pending&limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`,
    signal,
  );

/** Returns those of a thread, decided ones too. */
export const listOfThread = async (threadId: string, signal?: AbortSignal) =>
  (await get<ApprovalPage>(`/api/approvals?thread_id=${threadId}&limit=${PAGE}`, signal)).approvals;

/** Returns how many the caller may decide. */
export const countPending = async (signal?: AbortSignal) =>
  (await get<{ pending: number }>("/api/approvals/count", signal)).pending;

/** Decides on what was shown: one that has changed, was decided or is late raises Problem. */
export const decide = ({ id, digest }: AskedApproval, decision: Decision) =>
  json<Approval>("POST", `/api/approvals/${id}/decision`, { ...decision, digest });

/** Tells whether an error says that the approval is not what it was: it is to be read again. */
export const isOutdated = (error: unknown): boolean =>
  error instanceof Problem && (error.status === 409 || error.status === 410 || error.status === 404);
