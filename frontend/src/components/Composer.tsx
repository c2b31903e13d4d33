import { memo, useEffect, useRef, type KeyboardEvent } from "react";
import { Icon } from "@/components/Icon";

interface Props {
  text: string;
  change: (text: string) => void;
  send: (text: string) => void;
  stop: () => void;
  busy: boolean;
  ready: boolean;
  note: string | undefined;
}

/** Where a person writes: Enter sends, Shift+Enter begins a line, Esc stops the answer. */
export const Composer = memo(function Composer({ text, change, send, stop, busy, ready, note }: Props) {
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
    if (said && !busy && ready) send(said);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };

  return (
    <form className="composer" onSubmit={(event) => (event.preventDefault(), submit())}>
      <div className="composer-field">
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
            disabled={!text.trim() || !ready}
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
