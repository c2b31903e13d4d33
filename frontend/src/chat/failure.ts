import { Interrupted, Problem } from "@/api/problem";
import type { Answer } from "@/chat/exchange";

/** When the server says to try again: a countdown is shown instead. */
const WHEN = / Try again in [^.]*\.$/;

const GONE = "This answer is gone: the server no longer knows its run. Ask again.";
const UNREACHABLE = "The server could not be reached. Check the connection and send it again.";

/** Returns the answer after an error that ended its stream for good. */
export function failed(answer: Answer, error: unknown): Answer {
  if (error instanceof Problem && error.signedOut) return { ...answer, state: "signed-out", pause: null };
  const retryAfter = error instanceof Problem ? (error.retryAfter ?? null) : null;
  const sentence = sentenceOf(error, answer);
  const trouble = retryAfter === null ? sentence : sentence.replace(WHEN, "");
  return { ...answer, state: "failed", pause: null, trouble, retryAfter };
}

function sentenceOf(error: unknown, answer: Answer): string {
  if (error instanceof Problem) return error.status === 404 && answer.runId ? GONE : error.message;
  if (error instanceof Interrupted) return error.message;
  return UNREACHABLE;
}
