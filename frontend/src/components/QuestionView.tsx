import { memo, useState, type FormEvent } from "react";
import type { Edit } from "@/api/threads";
import type { Exchange } from "@/chat/exchange";
import type { JsonSchema } from "@/chat/field";
import { SentChips } from "@/components/AttachmentChips";
import { Icon } from "@/components/Icon";
import { InputView } from "@/components/InputView";
import { LoadedForm } from "@/components/LoadedForm";

/** What can be done with a question that was asked: ask it again, with other words or the same; see another. */
export interface Branching {
  /** Not while an answer comes. */
  ready: boolean;
  fork: (exchange: Exchange, edit?: Edit) => void;
  /** The schema that an input is edited by. */
  form: JsonSchema | null;
  show: (messageId: string) => void;
}

interface Props {
  exchange: Exchange;
  branching: Branching;
}

/** A question, with what it is about and the others that were asked in its place. */
export const QuestionView = memo(function QuestionView({ exchange, branching }: Props) {
  const [editing, setEditing] = useState(false);
  const { question, input, attachments = [] } = exchange;
  if (editing) {
    const ask = (edit: Edit) => {
      setEditing(false);
      branching.fork(exchange, edit);
    };
    const shared = { ready: branching.ready, leave: () => setEditing(false) };
    return input === undefined ? (
      <Editor {...shared} text={question} ask={(query) => ask({ query })} />
    ) : (
      <InputEditor {...shared} schema={branching.form ?? {}} input={input} ask={(edited) => ask({ input: edited })} />
    );
  }
  return (
    <div className="asked">
      <div className="question">
        <h3 className="unseen">You said</h3>
        <SentChips files={attachments} />
        {input === undefined ? <p>{question}</p> : <InputView input={input} />}
      </div>
      <div className="question-tools">
        <Versions exchange={exchange} branching={branching} />
        {exchange.answer.runId && (
          <>
            <Tool icon="pencil" label="Edit the question" {...branching} act={() => setEditing(true)} />
            <Tool icon="again" label="Repeat the question" {...branching} act={() => branching.fork(exchange)} />
          </>
        )}
      </div>
    </div>
  );
});

function Versions({ exchange: { branches = [], messageId }, branching: { ready, show } }: Props) {
  const place = branches.indexOf(messageId ?? "");
  if (place < 0) return null;
  const [earlier, later] = [branches[place - 1], branches[place + 1]];
  return (
    <span className="versions" role="group" aria-label="Versions of the question">
      <Tool icon="back" label="Earlier version" ready={ready && !!earlier} act={() => earlier && show(earlier)} />
      <span>
        {place + 1} / {branches.length}
      </span>
      <Tool icon="chevron" label="Later version" ready={ready && !!later} act={() => later && show(later)} />
    </span>
  );
}

interface ToolProps {
  icon: "pencil" | "again" | "back" | "chevron";
  label: string;
  ready: boolean;
  act: () => void;
}

function Tool({ icon, label, ready, act }: ToolProps) {
  return (
    <button type="button" className="icon-button" aria-label={label} title={label} disabled={!ready} onClick={act}>
      <Icon name={icon} size={15} />
    </button>
  );
}

interface EditorProps {
  text: string;
  ready: boolean;
  ask: (text: string) => void;
  leave: () => void;
}

function Editor({ text, ready, ask, leave }: EditorProps) {
  const [draft, setDraft] = useState(text);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (draft.trim() && ready) ask(draft.trim());
  };
  return (
    <form className="question-editor" onSubmit={submit}>
      <textarea
        aria-label="Edit your message"
        value={draft}
        maxLength={100_000}
        autoFocus // eslint-disable-line jsx-a11y-x/no-autofocus -- the button that was just pressed asks for it
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && leave()}
      />
      <div className="question-editor-row">
        <button type="button" className="small quiet" onClick={leave}>
          Cancel
        </button>
        <button type="submit" className="small" disabled={!draft.trim() || !ready}>
          Ask this
        </button>
      </div>
    </form>
  );
}

interface InputEditorProps {
  schema: JsonSchema;
  input: unknown;
  ready: boolean;
  ask: (input: unknown) => void;
  leave: () => void;
}

function InputEditor({ schema, input, ready, ask, leave }: InputEditorProps) {
  return (
    <div className="question-editor">
      <LoadedForm schema={schema} value={input} label="Ask this" ready={ready} send={ask}>
        <button type="button" className="quiet" onClick={leave}>
          Cancel
        </button>
      </LoadedForm>
    </div>
  );
}
