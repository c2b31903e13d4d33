import type { components } from "@/api/schema";
import { get, json } from "@/api/http";

export type Thread = components["schemas"]["Thread"];
export type ThreadPage = components["schemas"]["ThreadPage"];
export type Message = components["schemas"]["Message"];
export type MessagePage = components["schemas"]["MessagePage"];

const PAGE = 40;
const MESSAGES = 100;

const after = (cursor: string | null) => (cursor ? `&cursor=${encodeURIComponent(cursor)}` : "");

export const listThreads = (cursor: string | null, signal?: AbortSignal) =>
  get<ThreadPage>(`/api/threads?limit=${PAGE}${after(cursor)}`, signal);

export const beginThread = (runnable: string) => json<Thread>("POST", "/api/threads", { runnable });

export const readThread = (id: string, signal?: AbortSignal) => get<Thread>(`/api/threads/${id}`, signal);

export const renameThread = (id: string, title: string) => json<Thread>("PATCH", `/api/threads/${id}`, { title });

export const deleteThread = (id: string) => json<undefined>("DELETE", `/api/threads/${id}`);

export type RunState = components["schemas"]["RunState"];

/** What a question becomes: another text, or another input. */
export type Edit = { query: string } | { input: unknown };

/** Asks in place of a message: the same, or what it is edited to. Returns the run, which has begun. */
export const forkThread = (id: string, messageId: string, edit?: Edit) =>
  json<RunState>("POST", `/api/threads/${id}/fork`, { message_id: messageId, ...edit });

/** Shows the branch that a message is on. */
export const showBranch = (id: string, messageId: string) =>
  json<Thread>("PUT", `/api/threads/${id}/branch`, { message_id: messageId });

/** Returns all messages of a thread, the oldest first. */
export async function listMessages(id: string, signal?: AbortSignal): Promise<Message[]> {
  const messages: Message[] = [];
  let cursor: string | null = null;
  do {
    const page: MessagePage = await get(`/api/threads/${id}/messages?limit=${MESSAGES}${after(cursor)}`, signal);
    messages.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return messages;
}
