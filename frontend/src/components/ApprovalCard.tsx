import { useId, useState } from "react";
import type { Approval, AskedApproval, Decision } from "@/api/approvals";
import { Problem } from "@/api/problem";
import { words } from "@/chat/words";
import { ApprovalForm, type Answering } from "@/components/ApprovalForm";
import { ApprovalOutcome } from "@/components/ApprovalOutcome";
import { ArgumentsTable } from "@/components/ArgumentsTable";
import { Choices } from "@/components/Choices";
import { Icon, type IconName } from "@/components/Icon";
import { InputView } from "@/components/InputView";
import { useDecision } from "@/hooks/useApprovals";

interface Props {
  /** As its event told of it. */
  approval: AskedApproval;
  /** As it stands, once the server has told. */
  standing: Approval | undefined;
  /** What the run's own events say of the decision. */
  decided?: string | null;
}

/** What a run waits for: what would be done, in words and as a table, and what may be decided. */
export default function ApprovalCard({ approval, standing, decided = null }: Props) {
  const id = useId();
  const open = decided === null && stillOpen(standing);

  return (
    <section className={open ? "approval open" : "approval"} aria-labelledby={id}>
      <h4 id={id}>
        <Icon name={open ? "hand" : drawingOf(standing)} size={16} /> {titleOf(approval, open)}
      </h4>
      {approval.description && <p>{approval.description}</p>}
      {open && approval.same_as && (
        <p className="notice trouble">
          <Icon name="warning" /> It looks like the same as an earlier call of this answer.
        </p>
      )}
      {approval.args && <ArgumentsTable args={approval.args} />}
      {approval.value != null && <Asked value={approval.value} />}
      {open ? standing && <Deciding approval={standing} /> : <ApprovalOutcome approval={standing} told={decided} />}
    </section>
  );
}

/** What can be done now, what it needs to be told, and what was wrong with it. */
function Deciding({ approval }: { approval: Approval }) {
  const [answering, setAnswering] = useState<Answering>();
  const { mutate, isPending, error } = useDecision(approval);
  if (!approval.may_decide)
    return <p className="notice">Somebody else has to decide on this. It goes on by itself after that.</p>;
  const leave = () => setAnswering(undefined);
  const shared = { approval, ready: !isPending, send: (made: Decision) => mutate(made, { onSuccess: leave }) };
  return (
    <>
      {answering ? (
        <ApprovalForm {...shared} answering={answering} leave={leave} />
      ) : (
        <Choices {...shared} answer={setAnswering} />
      )}
      {error && (
        <p className="notice trouble" role="alert">
          {sentenceOf(error)}
        </p>
      )}
    </>
  );
}

function Asked({ value }: { value: unknown }) {
  return typeof value === "string" ? <p className="asked-value">{value}</p> : <InputView input={value} />;
}

const stillOpen = (standing: Approval | undefined) => !standing || standing.status === "pending";

/** What is drawn of those that came to nothing. */
const NOTHING: Record<string, IconName> = { rejected: "close", given_up: "close", cancelled: "stop", expired: "clock" };

const drawingOf = (standing: Approval | undefined): IconName => NOTHING[standing?.status ?? ""] ?? "check";

function titleOf({ kind, tool }: AskedApproval, open: boolean): string {
  const name = tool ? words(tool) : "A tool";
  if (kind === "input") return open ? "An answer is needed" : "An answer was asked for";
  if (kind === "effect") return open ? `Did “${name}” happen?` : `It was not known whether “${name}” happened`;
  return open ? `“${name}” waits for your word` : name;
}

const sentenceOf = (error: unknown) =>
  error instanceof Problem ? error.message : "The server could not be reached. Nothing was decided.";
