import { memo } from "react";
import { isOver, textOfAnswer, type Answer, type Exchange } from "@/chat/exchange";
import { AnswerView } from "@/components/AnswerView";
import { FeedbackBar } from "@/components/FeedbackBar";
import { QuestionView, type Branching } from "@/components/QuestionView";
import { useFeedback } from "@/hooks/useFeedback";

interface Props {
  threadId: string;
  exchanges: Exchange[];
  again: (exchange: Exchange) => void;
  goOn: () => void;
  stop: () => void;
  branching: Branching;
}

/** The conversation so far. */
export function MessageList({ threadId, exchanges, again, goOn, stop, branching }: Props) {
  return (
    <ol className="exchanges">
      {exchanges.map((exchange, place) => (
        <ExchangeView
          key={exchange.key}
          threadId={threadId}
          exchange={exchange}
          again={again}
          branching={branching}
          {...(place === exchanges.length - 1 && { goOn, stop })}
        />
      ))}
    </ol>
  );
}

interface ExchangeProps {
  threadId: string;
  exchange: Exchange;
  again: (exchange: Exchange) => void;
  /** Asks for the rest of the last answer. */
  goOn?: () => void;
  /** Ends the last one while it waits for a decision. */
  stop?: () => void;
  branching: Branching;
}

// the earlier ones stay as they are while the last one streams
const ExchangeView = memo(function ExchangeView({ threadId, exchange, again, goOn, stop, branching }: ExchangeProps) {
  const { answer } = exchange;
  return (
    <li>
      <QuestionView exchange={exchange} branching={branching} />
      <AnswerView answer={answer} {...(goOn && { goOn })} {...(stop && { stop })} />
      {answer.state === "failed" && (
        <button type="button" className="small" onClick={() => again(exchange)}>
          Ask again
        </button>
      )}
      {answer.runId && isOver(answer) && <Feedback threadId={threadId} runId={answer.runId} answer={answer} />}
    </li>
  );
});

function Feedback({ threadId, runId, answer }: { threadId: string; runId: string; answer: Answer }) {
  const feedback = useFeedback(threadId);
  return (
    <FeedbackBar
      given={feedback.of(runId)}
      text={textOfAnswer(answer)}
      give={(score, comment) => feedback.give.mutate({ runId, score, comment })}
      withdraw={() => feedback.withdraw.mutate(runId)}
    />
  );
}
