import { useId, useState, type FormEvent, type ReactNode } from "react";
import type { AskedApproval, Decision } from "@/api/approvals";
import { LoadedForm } from "@/components/LoadedForm";

/** What a person is about to say more of. */
export type Answering = "edit" | "reject" | "respond" | "happened";

interface Props {
  approval: AskedApproval;
  answering: Answering;
  ready: boolean;
  send: (decision: Decision) => void;
  leave: () => void;
}

/** What a decision needs to be told: other arguments by the tool's own schema, a reason, an answer, a result. */
export function ApprovalForm({ approval, answering, ready, send, leave }: Props) {
  const cancel = (
    <button type="button" className="quiet" onClick={leave}>
      Cancel
    </button>
  );
  if (answering === "edit") {
    return (
      <LoadedForm
        schema={approval.schema ?? {}}
        value={approval.args}
        label="Approve with these"
        ready={ready}
        send={(args) => send({ decision: "edit", args })}
      >
        {cancel}
      </LoadedForm>
    );
  }
  if (answering === "respond" && approval.kind === "input" && approval.schema) {
    return (
      <LoadedForm
        schema={approval.schema}
        label="Answer"
        ready={ready}
        send={(response) => send({ decision: "respond", response })}
      >
        {cancel}
      </LoadedForm>
    );
  }
  return (
    <Said
      {...WORDS[answering]}
      {...(hasEnded(approval) && { label: "What came of it? It is kept with your word." })}
      needed={answering === "respond"}
      ready={ready}
      send={(text) => send(decisionOf(approval, answering, text))}
    >
      {cancel}
    </Said>
  );
}

function decisionOf({ kind }: AskedApproval, answering: Answering, text: string): Decision {
  if (answering === "reject") return { decision: "reject", ...(text && { message: text }) };
  if (answering === "happened") return { decision: "happened", ...(text && { result: text }) };
  return kind === "input" ? { decision: "respond", response: text } : { decision: "respond", message: text };
}

const WORDS = {
  edit: { label: "", button: "" },
  reject: { label: "Why not? The model is told.", button: "Reject" },
  respond: { label: "What is the answer?", button: "Answer" },
  happened: { label: "What came of it? The model is told.", button: "It happened" },
};

/** Of a call that its run has left behind as it ended no model is told: it cannot be run again either. */
const hasEnded = ({ kind, allowed }: AskedApproval) => kind === "effect" && !allowed.includes("run_again");

interface SaidProps {
  label: string;
  button: string;
  needed: boolean;
  ready: boolean;
  send: (text: string) => void;
  children: ReactNode;
}

function Said({ label, button, needed, ready, send, children }: SaidProps) {
  const id = useId();
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && (text.trim() || !needed)) send(text.trim());
  };
  return (
    <form className="schema-form" onSubmit={submit}>
      <div className="field">
        <label htmlFor={id}>
          {label} {!needed && <small>optional</small>}
        </label>
        <textarea
          id={id}
          rows={2}
          maxLength={10_000}
          value={text}
          autoFocus // eslint-disable-line jsx-a11y-x/no-autofocus -- the button that was just pressed asks for it
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <div className="schema-buttons">
        {children}
        <button type="submit" className="primary" disabled={!ready || (needed && !text.trim())}>
          {button}
        </button>
      </div>
    </form>
  );
}
