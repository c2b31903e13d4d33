import { memo } from "react";
import { goesOn, textOfAnswer, type Answer, type Part } from "@/chat/exchange";
import { isRecord } from "@/chat/series";
import { AnswerData } from "@/components/AnswerData";
import { AnswerNotice } from "@/components/AnswerNotice";
import { GraphStep } from "@/components/GraphStep";
import { Markdown } from "@/components/Markdown";
import { PaceLine } from "@/components/PaceLine";
import { ApprovalView, EarlierApprovals } from "@/components/RunApprovals";
import { documentsIn, Sources } from "@/components/Sources";
import { Thoughts } from "@/components/Thoughts";
import { ToolStep } from "@/components/ToolStep";

interface Props {
  answer: Answer;
  /** Asks for more of an answer that was cut off. */
  goOn?: () => void;
  /** Ends a run that waits for a decision. */
  stop?: () => void;
}

/** An answer as far as it came: text and tools in their order, how it stands, how fast it is. */
export const AnswerView = memo(function AnswerView({ answer, goOn, stop }: Props) {
  const streaming = goesOn(answer);
  return (
    <div className={`answer ${answer.state}`} aria-busy={streaming}>
      {answer.restarts > 0 && (
        <p className="notice quiet-notice">
          The server that answered went away. Another one began again
          {answer.restarts > 1 && `, ${answer.restarts} times`}.
        </p>
      )}
      <EarlierApprovals runId={answer.runId} parts={answer.parts} />
      {answer.parts.map(
        (part, place) =>
          !repeats(part, answer) && (
            <PartView
              key={place}
              part={part}
              streaming={streaming}
              waiting={answer.state === "undecided"}
              last={place === answer.parts.length - 1}
            />
          ),
      )}
      {streaming && !textOfAnswer(answer) && (
        <p className="thinking" aria-hidden="true">
          <i />
          <i />
          <i />
        </p>
      )}
      <Sources documents={documentsIn(answer.value)} />
      <AnswerNotice answer={answer} goOn={goOn} stop={stop} />
      {answer.pace && answer.pace.first !== null && (
        <PaceLine pace={answer.pace} usage={answer.usage} streaming={streaming} />
      )}
    </div>
  );
});

/** Tells whether a step is no more than the answer, which its node wrote to the state. */
function repeats(part: Part, answer: Answer): boolean {
  if (part.kind !== "step" || part.node === null || !isRecord(part.data)) return false;
  const values = Object.values(part.data);
  return values.length === 1 && values[0] === textOfAnswer(answer);
}

interface PartProps {
  part: Part;
  streaming: boolean;
  waiting: boolean;
  last: boolean;
}

function PartView({ part, streaming, waiting, last }: PartProps) {
  if (part.kind === "tool") return <ToolStep part={part} running={streaming} waiting={waiting} />;
  if (part.kind === "approval") return <ApprovalView part={part} />;
  if (part.kind === "thoughts") return <Thoughts text={part.text} />;
  if (part.kind === "step") return <GraphStep node={part.node} data={part.data} current={streaming && last} />;
  const data = !streaming || part.text.startsWith("{") ? AnswerData.of(part.text) : undefined;
  return data ? <AnswerData data={data} /> : <Markdown text={part.text} streaming={streaming && last} />;
}
