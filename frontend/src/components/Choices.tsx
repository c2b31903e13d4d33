import { useState } from "react";
import type { AskedApproval, Decision } from "@/api/approvals";
import type { Answering } from "@/components/ApprovalForm";
import { duration } from "@/components/AnswerNotice";
import { useCountdown } from "@/hooks/useCountdown";

interface Props {
  approval: AskedApproval;
  ready: boolean;
  /** Decides at once. */
  send: (decision: Decision) => void;
  /** Opens what a decision needs to be told. */
  answer: (answering: Answering) => void;
}

/** A button for each thing that may be decided, and how long there is. */
export function Choices({ approval: { kind, allowed, expires_at }, ready, send, answer }: Props) {
  const may = new Set(allowed);
  const left = useTimeLeft(expires_at);
  return (
    <div className="choice-buttons">
      {may.has("approve") && (
        <button type="button" className="primary" disabled={!ready} onClick={() => send({ decision: "approve" })}>
          Approve
        </button>
      )}
      {may.has("happened") && (
        <button type="button" disabled={!ready} onClick={() => answer("happened")}>
          It happened
        </button>
      )}
      {may.has("run_again") && (
        <button type="button" disabled={!ready} onClick={() => send({ decision: "run_again" })}>
          It did not: run it
        </button>
      )}
      {may.has("edit") && (
        <button type="button" disabled={!ready} onClick={() => answer("edit")}>
          Edit
        </button>
      )}
      {may.has("respond") && (
        <button
          type="button"
          className={kind === "input" ? "primary" : ""}
          disabled={!ready}
          onClick={() => answer("respond")}
        >
          {kind === "input" ? "Answer" : "Answer in its place"}
        </button>
      )}
      {may.has("reject") && (
        <button type="button" disabled={!ready} onClick={() => answer("reject")}>
          Reject
        </button>
      )}
      {may.has("give_up") && (
        <button type="button" disabled={!ready} onClick={() => send({ decision: "give_up" })}>
          Give up
        </button>
      )}
      {left && <small>{left}</small>}
    </div>
  );
}

/** Returns how long something stands open, in words; empty for a time that cannot be read. */
function useTimeLeft(until: string): string {
  const [seconds] = useState(() => Math.ceil((Date.parse(until) - Date.now()) / 1000));
  const left = useCountdown(Number.isNaN(seconds) ? null : seconds);
  if (Number.isNaN(seconds)) return "";
  return left > 0 ? `${duration(left)} left` : "Its time is over.";
}
