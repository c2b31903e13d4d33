import type { QueryClient } from "@tanstack/react-query";
import type { Attached } from "@/api/attachments";
import { beginThread } from "@/api/threads";

/** What a person asks: a text about some files, or the runnable's whole input. */
export interface Asked {
  text: string;
  files: Attached[];
  input?: unknown;
}

/** Questions that were asked before their thread's page was open. A reload forgets them: they were sent. */
const questions = new Map<string, Asked>();

/** Begins a thread, leaves the question for its page and returns the thread's id. */
export async function handOver(queries: QueryClient, runnable: string, asked: Asked) {
  const thread = await beginThread(runnable);
  queries.setQueryData(["thread", thread.id], thread);
  queries.setQueryData(["messages", thread.id], []);
  questions.set(thread.id, asked);
  return thread.id;
}

/** Returns the question that was left for this thread, once. */
export function takeOver(threadId: string): Asked | undefined {
  const question = questions.get(threadId);
  questions.delete(threadId);
  return question;
}
