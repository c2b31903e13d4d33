import { createContext, use } from "react";
import type { Approval } from "@/api/approvals";

/** The approvals of the thread that is open, as they stand. */
export const ApprovalsContext = createContext<readonly Approval[]>([]);

export const useApproval = (id: string): Approval | undefined =>
  use(ApprovalsContext).find((approval) => approval.id === id);

/** Returns the approvals of a run that are not among these. */
export const useOtherApprovals = (runId: string | null, ids: readonly string[]): Approval[] =>
  use(ApprovalsContext)
    .filter(({ id, run_id }) => run_id === runId && !ids.includes(id))
    .reverse(); // the server has the newest first
