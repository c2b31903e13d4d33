import { textOfAnswer, type Answer } from "@/chat/exchange";
import { words } from "@/chat/words";

const LONGEST = 600; // characters of an answer that are read out; the rest is there to read

/** Tells a screen reader how an answer gets on, in steps: tokens one by one would drown everything else. */
export function Announcer({ answer }: { answer: Answer | undefined }) {
  return (
    <p className="unseen" role="status">
      {answer && said(answer)}
    </p>
  );
}

function said(answer: Answer): string {
  const tool = answer.parts.at(-1);
  switch (answer.state) {
    case "waiting":
      return "Waiting for the answer.";
    case "streaming":
      return tool?.kind === "tool" ? `Using the tool ${words(tool.tool)}.` : "The answer is coming.";
    case "reconnecting":
      return "Connection lost. Reconnecting.";
    case "signed-out":
      return "Sign in to go on.";
    case "undecided":
      return "It waits for a decision.";
    case "stopped":
      return "Stopped.";
    case "failed":
      return answer.trouble ?? "The answer failed.";
    case "complete":
      return answer.pace ? textOfAnswer(answer).slice(0, LONGEST) : "";
  }
}
