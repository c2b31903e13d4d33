import { useState, type FormEvent } from "react";
import { Link } from "wouter";
import type { Thread } from "@/api/threads";
import { Icon } from "@/components/Icon";
import { Modal } from "@/components/Modal";

interface Props {
  thread: Thread;
  open: boolean;
  rename: (title: string) => void;
  remove: () => void;
}

type Mode = "shown" | "renaming" | "deleting";

/** A thread in the list: opens it, gives it another title, deletes it. */
export function ThreadItem({ thread, open, rename, remove }: Props) {
  const [mode, setMode] = useState<Mode>("shown");
  const title = thread.title || "New conversation";
  const save = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const wanted = String(new FormData(event.currentTarget).get("title") ?? "").trim();
    if (wanted && wanted !== thread.title) rename(wanted);
    setMode("shown");
  };

  if (mode === "renaming") {
    return (
      <form className="thread renaming" onSubmit={save}>
        <input
          name="title"
          aria-label="New title"
          defaultValue={thread.title}
          maxLength={200}
          autoFocus // eslint-disable-line jsx-a11y-x/no-autofocus -- it stands where the button was that had the focus
          onFocus={(event) => event.target.select()}
          onBlur={(event) => event.target.form?.requestSubmit()}
          onKeyDown={(event) => event.key === "Escape" && setMode("shown")}
        />
      </form>
    );
  }
  return (
    <div className={open ? "thread open" : "thread"}>
      <Link href={`/threads/${thread.id}`} aria-current={open ? "page" : undefined} title={title}>
        {title}
      </Link>
      <button type="button" className="icon-button" aria-label={`Rename ${title}`} onClick={() => setMode("renaming")}>
        <Icon name="pencil" size={15} />
      </button>
      <button type="button" className="icon-button" aria-label={`Delete ${title}`} onClick={() => setMode("deleting")}>
        <Icon name="bin" size={15} />
      </button>
      {mode === "deleting" && (
        <Modal title="Delete this conversation?" close={() => setMode("shown")}>
          <p>“{title}” and its answers are erased. This can't be undone.</p>
          <div className="dialog-buttons">
            <button type="button" onClick={() => setMode("shown")}>
              Keep
            </button>
            <button type="button" className="danger" onClick={remove}>
              Delete
            </button>
          </div>
        </Modal>
      )}
    </div>
  );
}
