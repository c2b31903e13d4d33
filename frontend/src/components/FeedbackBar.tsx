import { useState, type FormEvent } from "react";
import type { Feedback, Score } from "@/api/feedback";
import { CopyButton } from "@/components/CopyButton";
import { Icon } from "@/components/Icon";

interface Props {
  given: Feedback | undefined;
  text: string;
  give: (score: Score, comment: string) => void;
  withdraw: () => void;
}

/** Thumbs for an answer, and room for a comment once one of them is chosen. Choosing it again takes it back. */
export function FeedbackBar({ given, text, give, withdraw }: Props) {
  const [commenting, setCommenting] = useState(false);
  const choose = (score: Score) => {
    if (given?.score === score) withdraw();
    else give(score, given?.comment ?? "");
    setCommenting(given?.score !== score);
  };
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const comment = new FormData(event.currentTarget).get("comment");
    if (given) give(given.score, String(comment ?? ""));
    setCommenting(false);
  };
  return (
    <div className="feedback">
      <div className="feedback-row">
        <Thumb name="up" label="Good answer" pressed={given?.score === "up"} choose={() => choose("up")} />
        <Thumb name="down" label="Bad answer" pressed={given?.score === "down"} choose={() => choose("down")} />
        <CopyButton text={() => text} />
        {given?.comment && !commenting && <span className="feedback-said">“{given.comment}”</span>}
      </div>
      {commenting && given && (
        <form onSubmit={send}>
          <input
            name="comment"
            aria-label="Comment on the answer"
            placeholder="What was good or bad? (optional)"
            maxLength={4000}
            defaultValue={given.comment}
            autoFocus // eslint-disable-line jsx-a11y-x/no-autofocus -- the thumb that was just pressed asks for it
          />
          <button type="submit" className="small">
            Send
          </button>
        </form>
      )}
    </div>
  );
}

function Thumb({
  name,
  label,
  pressed,
  choose,
}: {
  name: "up" | "down";
  label: string;
  pressed: boolean;
  choose: () => void;
}) {
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      onClick={choose}
    >
      <span className={name === "down" ? "upside-down" : undefined}>
        <Icon name="up" size={16} />
      </span>
    </button>
  );
}
