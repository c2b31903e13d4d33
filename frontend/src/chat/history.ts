import type { Message } from "@/api/threads";
import { unanswered, type Answer, type AnswerState, type Exchange, type Part } from "@/chat/exchange";

const STATES: Record<string, AnswerState> = { complete: "complete", partial: "stopped", failed: "failed" };

/** Returns a thread's messages as exchanges. A question whose run has not ended yet has a waiting answer. */
export function exchangesOf(messages: readonly Message[]): Exchange[] {
  const answers = new Map(messages.filter(({ role }) => role === "ai").map((answer) => [answer.run_id, answer]));
  return messages
    .filter(({ role }) => role === "human")
    .map(({ id, run_id, content, value, branches, attachments }) => {
      const answer = answers.get(run_id);
      return {
        key: run_id,
        question: content,
        ...(value != null && { input: value }),
        answer: answer ? answerOf(answer) : unanswered(null, run_id),
        messageId: id,
        branches: branches ?? [],
        attachments: attachments ?? [],
      };
    });
}

/** Returns the exchange that is still going on, which can only be the last one. */
export function pendingIn(exchanges: readonly Exchange[]): Exchange | undefined {
  const last = exchanges.at(-1);
  return last?.answer.state === "waiting" ? last : undefined;
}

function answerOf(message: Message): Answer {
  const tools: Part[] = (message.tool_calls ?? []).map((call) => ({
    kind: "tool",
    callId: call.call_id,
    tool: call.tool,
    input: call.input,
    output: call.output ?? null,
    isError: call.is_error ?? false,
  }));
  const text: Part[] = message.content ? [{ kind: "text", text: message.content }] : [];
  return {
    ...unanswered(null, message.run_id),
    state: STATES[message.status ?? "complete"] ?? "complete",
    parts: [...tools, ...text],
    value: message.value ?? null,
    usage: message.usage ?? null,
    finishReason: message.finish_reason ?? null,
  };
}
