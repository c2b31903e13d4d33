import type { Approval } from "@/api/approvals";
import { isRecord } from "@/chat/series";
import { ArgumentsTable } from "@/components/ArgumentsTable";

const SAID: Record<string, string> = {
  approved: "Approved by",
  edited: "Approved with other arguments by",
  rejected: "Rejected by",
  responded: "Answered by",
  happened: "It happened, according to",
  run_again: "Run again by",
  given_up: "Given up by",
};

/** What was decided, by whom and when; `told` is what the run's own events say of it. */
export function ApprovalOutcome({ approval, told }: { approval: Approval | undefined; told: string | null }) {
  if (!approval || approval.status === "pending") return <p className="approval-outcome">{told}</p>;
  const { status, decided_by, decided_at } = approval;
  const { message, response, result, args } = approval.decision ?? {};
  const said = [message, response, result].find((text) => typeof text === "string" && text !== "");
  return (
    <div className="approval-outcome">
      <p>
        {decided_by ? `${SAID[status] ?? status} ${decided_by.name}` : withoutAnybody(approval)}
        {decided_at && decided_by && <time dateTime={decided_at}>, {when(decided_at)}</time>}
      </p>
      {said !== undefined && <p>“{String(said)}”</p>}
      {isRecord(args) && <ArgumentsTable args={args} />}
    </div>
  );
}

function withoutAnybody({ kind, status, allowed }: Approval): string {
  if (status === "expired") return "Nobody decided in time, so the run has ended.";
  if (kind === "effect" && !allowed.includes("run_again")) return "It was found out before anybody said so.";
  return "The run was ended before anybody decided.";
}

const when = (moment: string): string =>
  new Date(moment).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
