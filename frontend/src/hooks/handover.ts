import type { QueryClient } from "@tanstack/react-query";
import { beginThread } from "@/api/threads";

/** Questions that were asked before their thread's page was open. A reload forgets them: they were sent. */
const questions = new Map<string, string>();

/** Begins a thread, leaves the question for its page and returns the thread's id. */
export async function handOver(queries: QueryClient, runnable: string, question: string): Promise<string> {
  const thread = await beginThread(runnable);
  queries.setQueryData(["thread", thread.id], thread);
  queries.setQueryData(["messages", thread.id], []);
  questions.set(thread.id, question);
  return thread.id;
}

/** Returns the question that was left for this thread, once. */
export function takeOver(threadId: string): string | undefined {
  const question = questions.get(threadId);
  questions.delete(threadId);
  return question;
}
