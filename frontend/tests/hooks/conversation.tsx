import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect } from "vitest";
import { SessionProvider, useSession } from "@/hooks/session";
import { useChat } from "@/hooks/useChat";
import { CHAT } from "../runnable";
import { at, http, RUN, runState, server, THREAD } from "../server";

export const ME = { tenant_id: "acme", user_id: "alice", name: "Alice", scopes: ["*"], expires_at: null };
export const human = (run_id: string, content: string) => ({
  id: `h-${run_id}`,
  run_id,
  role: "human",
  content,
  tool_calls: [],
  status: null,
  usage: null,
  created_at: "2026-11-21T09:00:00Z",
});

/** Renders the hook in a conversation that has these messages. `restore` is handed what was not sent. */
export function opened(messages: object[] = [], restore: (text: string) => void = () => undefined) {
  server.use(
    http.get(at("/api/me"), () => Response.json(ME)),
    http.get(at(`/api/threads/${THREAD}/messages`), () => Response.json({ items: messages, next_cursor: null })),
  );
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={queries}>
      <SessionProvider>{children}</SessionProvider>
    </QueryClientProvider>
  );
  const { result } = renderHook(() => ({ chat: useChat(THREAD, CHAT, restore), session: useSession() }), { wrapper });
  return { result };
}

export const last = ({ result }: ReturnType<typeof opened>) => result.current.chat.exchanges.at(-1);
export const ended = (opening: ReturnType<typeof opened>, state: string) =>
  waitFor(() => expect(last(opening)?.answer.state).toBe(state));

/** Has the server stream these frames, and know the run with this state. */
export function streams(response: Response, state: object = {}): void {
  server.use(
    http.post(at("/chat/stream"), () => response),
    http.get(at(`/api/runs/${RUN}`), () => Response.json(runState(state))),
  );
}
