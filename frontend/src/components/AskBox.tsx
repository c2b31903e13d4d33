import { useCallback, useState } from "react";
import type { Runnable } from "@/api/events";
import type { JsonSchema } from "@/chat/field";
import { Composer, type ComposerProps } from "@/components/Composer";
import { LoadedForm } from "@/components/LoadedForm";
import { formAt, keptDraft } from "@/hooks/useDraft";

interface Props extends ComposerProps {
  runnable: Runnable | undefined;
  /** Whether a form stands open where it is how the runnable is asked; else a button opens it. */
  opened: boolean;
  /** What a form that is not sent yet is kept under: a thread's id, or another name. */
  place: string;
  ask: (input: unknown) => void;
}

/** Where a person asks: a message, or a form where an input is more than a text. */
export function AskBox({ runnable, opened, place, ask, ...composer }: Props) {
  const schema = runnable?.form as JsonSchema | null | undefined;
  const saying = runnable?.input_field != null;
  const kept = `${place}:${runnable?.name}`;
  const [open, setOpen] = useState(() => (opened && !!runnable?.form_first) || !!keptDraft(formAt(kept)));
  const openForm = useCallback(() => setOpen(true), []);

  if (!schema) return <Composer {...composer} />;
  if (open) {
    const send = (input: unknown) => {
      if (!opened) setOpen(false); // the conversation needs the room
      ask(input);
    };
    return (
      <div className="form-box">
        <LoadedForm schema={schema} place={kept} label="Ask" ready={composer.ready && !composer.busy} send={send}>
          {(saying || !opened) && (
            <button type="button" className="quiet" onClick={() => setOpen(false)}>
              {saying ? "Write a message instead" : "Close the form"}
            </button>
          )}
        </LoadedForm>
      </div>
    );
  }
  if (saying) return <Composer {...composer} openForm={openForm} />;
  return (
    <div className="form-closed">
      {composer.busy ? (
        <button type="button" onClick={composer.stop}>
          Stop
        </button>
      ) : (
        <button type="button" className="primary" disabled={!composer.ready} onClick={openForm}>
          Fill in the form
        </button>
      )}
    </div>
  );
}
