import type { Approval } from "@/api/approvals";
import { isRecord } from "@/chat/series";
import { ArgumentsTable } from "@/components/ArgumentsTable";

const SAID: Record<string, string> = {
  approved: "Approved",
  edited: "Approved with other arguments",
  rejected: "Rejected",
  responded: "Answered",
  happened: "It happened, says",
  run_again: "Run again",
  given_up: "Given up",
};

const WITHOUT_ANYBODY: Record<string, string> = {
  expired: "Nobody decided in time, so the run has ended.",
  cancelled: "The run was ended before anybody decided.",
};

/** What was decided, by whom and when; `told` is what the run's own events say of it. */
export function ApprovalOutcome({ approval, told }: { approval: Approval | undefined; told: string | null }) {
  if (!approval) return <p className="approval-outcome">{told}</p>;
  const { status, decided_by, decided_at } = approval;
  const { message, response, args } = approval.decision ?? {};
  const said = [message, response].find((text) => typeof text === "string" && text !== "");
  return (
    <div className="approval-outcome">
      <p>
        {WITHOUT_ANYBODY[status] ?? `${SAID[status] ?? status}${decided_by ? ` by ${decided_by.name}` : ""}`}
        {decided_at && decided_by && <time dateTime={decided_at}>, {when(decided_at)}</time>}
      </p>
      {said !== undefined && <p>“{String(said)}”</p>}
      {isRecord(args) && <ArgumentsTable args={args} />}
    </div>
  );
}

const when = (moment: string): string =>
  new Date(moment).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
