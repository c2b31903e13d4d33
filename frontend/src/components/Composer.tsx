import { memo, useEffect, useRef, type KeyboardEvent, type SyntheticEvent } from "react";
import { AttachButton } from "@/components/AttachButton";
import { DraftChips } from "@/components/AttachmentChips";
import { Icon } from "@/components/Icon";
import type { Attachments } from "@/hooks/useAttachments";

export interface ComposerProps {
  text: string;
  change: (text: string) => void;
  send: (text: string) => void;
  stop: () => void;
  busy: boolean;
  ready: boolean;
  note: string | undefined;
  attachments: Attachments;
  /** Shows a form in its place, where there is one. */
  openForm?: () => void;
}

const hasFiles = (data: DataTransfer) => data.types.includes("Files");

/** Where a person writes: Enter sends, Shift+Enter begins a line, Esc stops the answer. */
export const Composer = memo(function Composer(props: ComposerProps) {
  const { text, change, send, stop, busy, ready, note, attachments, openForm } = props;
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches) field.current?.focus(); // a phone's keyboard would cover the page
  }, []);
  useEffect(() => {
    if (!busy) return;
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) stop();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [busy, stop]);

  const submit = () => {
    const said = text.trim();
    if (said && !busy && ready && !attachments.busy) send(said);
  };
  /** Takes pasted or dropped files; a text goes where it went. */
  const take = (event: SyntheticEvent, { files }: DataTransfer) => {
    if (!attachments.allowed || !files.length) return;
    event.preventDefault();
    attachments.add(files);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };

  return (
    <form
      className="composer"
      onSubmit={(event) => (event.preventDefault(), submit())}
      onDragOver={(event) => attachments.allowed && hasFiles(event.dataTransfer) && event.preventDefault()}
      onDrop={(event) => take(event, event.dataTransfer)}
    >
      <DraftChips drafts={attachments.drafts} remove={attachments.remove} />
      <div className="composer-field">
        {attachments.allowed && <AttachButton add={attachments.add} />}
        {openForm && (
          <button
            type="button"
            className="icon-button attach"
            aria-label="Fill in a form"
            title="Fill in a form"
            onClick={openForm}
          >
            <Icon name="form" />
          </button>
        )}
        <textarea
          ref={field}
          rows={1}
          value={text}
          maxLength={100_000}
          placeholder="Ask something"
          aria-label="Your message"
          aria-describedby="composer-note"
          onChange={(event) => change(event.target.value)}
          onKeyDown={onKeyDown}
          onPaste={(event) => take(event, event.clipboardData)}
        />
        {busy ? (
          <button type="button" className="round" aria-label="Stop" title="Stop (Esc)" onClick={stop}>
            <Icon name="stop" />
          </button>
        ) : (
          <button
            type="submit"
            className="round"
            aria-label="Send"
            title="Send (Enter)"
            disabled={!text.trim() || !ready || attachments.busy}
          >
            <Icon name="send" />
          </button>
        )}
      </div>
      <p id="composer-note" className="composer-note">
        {note}
      </p>
    </form>
  );
});
