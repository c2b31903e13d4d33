import { memo } from "react";
import { isOver, textOfAnswer, type Exchange } from "@/chat/exchange";
import { AnswerView } from "@/components/AnswerView";
import { FeedbackBar } from "@/components/FeedbackBar";
import type { useFeedback } from "@/hooks/useFeedback";

interface Props {
  exchanges: Exchange[];
  feedback: ReturnType<typeof useFeedback>;
  again: (exchange: Exchange) => void;
}

/** The conversation so far. */
export function MessageList({ exchanges, feedback, again }: Props) {
  return (
    <ol className="exchanges">
      {exchanges.map((exchange) => (
        <li key={exchange.key}>
          <Question text={exchange.question} />
          <AnswerView answer={exchange.answer} />
          {exchange.answer.state === "failed" && (
            <button type="button" className="small" onClick={() => again(exchange)}>
              Ask again
            </button>
          )}
          <Feedback exchange={exchange} feedback={feedback} />
        </li>
      ))}
    </ol>
  );
}

const Question = memo(function Question({ text }: { text: string }) {
  return (
    <div className="question">
      <h3 className="unseen">You said</h3>
      <p>{text}</p>
    </div>
  );
});

function Feedback({ exchange, feedback }: { exchange: Exchange; feedback: Props["feedback"] }) {
  const { runId } = exchange.answer;
  if (!runId || !isOver(exchange.answer)) return null;
  return (
    <FeedbackBar
      given={feedback.of(runId)}
      text={textOfAnswer(exchange.answer)}
      give={(score, comment) => feedback.give.mutate({ runId, score, comment })}
      withdraw={() => feedback.withdraw.mutate(runId)}
    />
  );
}
