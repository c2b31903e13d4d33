import type { Answer } from "@/chat/exchange";
import { Icon } from "@/components/Icon";
import { useCountdown } from "@/hooks/useCountdown";

interface Props {
  answer: Answer;
  goOn?: (() => void) | undefined;
  stop?: (() => void) | undefined;
}

/** What a person should know of how an answer stands: it is never short without a word. */
export function AnswerNotice({ answer, goOn, stop }: Props) {
  switch (answer.state) {
    case "reconnecting":
      return (
        <p className="notice">
          <span className="spinner" /> Connection lost. Reconnecting…
        </p>
      );
    case "signed-out":
      return <p className="notice">Waiting for you to sign in.</p>;
    case "undecided":
      return (
        <p className="notice quiet-notice">
          The answer goes on after the decision.
          {stop && (
            <button type="button" className="small" onClick={stop}>
              Stop here
            </button>
          )}
        </p>
      );
    case "stopped":
      return <p className="notice quiet-notice">Stopped. What came until then is kept.</p>;
    case "failed":
      return <Trouble answer={answer} />;
    case "complete":
      return <Ending reason={answer.finishReason} goOn={goOn} />;
    default:
      return null;
  }
}

/** What is to be said of an answer that came to no natural end. */
function Ending({ reason, goOn }: { reason: string | null; goOn: (() => void) | undefined }) {
  if (reason === null || reason === "stop") return null;
  return (
    <p className="notice quiet-notice">
      {ENDINGS[reason] ?? `The model ended its answer early (${reason}).`}{" "}
      {reason === "length" && goOn && (
        <button type="button" className="small" onClick={goOn}>
          Continue
        </button>
      )}
    </p>
  );
}

const ENDINGS: Record<string, string> = {
  length: "The answer is cut off here: it is as long as the model may write.",
  refusal: "The model refused to answer this.",
};

function Trouble({ answer }: { answer: Answer }) {
  const left = useCountdown(answer.retryAfter);
  return (
    <p className="notice trouble">
      <Icon name="warning" /> {answer.trouble ?? "The answer failed."}
      {answer.retryAfter !== null && (left > 0 ? ` Try again in ${duration(left)}.` : " You can try again now.")}
    </p>
  );
}

/** Returns seconds in the unit that a person would use. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`;
}
