import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Runnable } from "@/api/events";
import { textOfAnswer } from "@/chat/exchange";
import { handOver } from "@/hooks/handover";
import { SessionProvider, useSession } from "@/hooks/session";
import { useChat } from "@/hooks/useChat";
import {
  at,
  complete,
  end,
  frames,
  http,
  problem,
  RUN,
  runState,
  server,
  sse,
  start,
  THREAD,
  token,
  usage,
} from "../server";

const CHAT: Runnable = { name: "chat", path: "/chat", description: "", input_field: "input", output: "text" };
const ME = { tenant_id: "acme", user_id: "alice", name: "Alice", scopes: ["*"], expires_at: null };
const human = (run_id: string, content: string) => ({
  id: `h-${run_id}`,
  run_id,
  role: "human",
  content,
  tool_calls: [],
  status: null,
  usage: null,
  created_at: "2026-11-21T09:00:00Z",
});

function opened(messages: object[] = [], restore: (text: string) => void = () => undefined) {
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
  return { result, queries };
}
const last = ({ result }: ReturnType<typeof opened>) => result.current.chat.exchanges.at(-1);
const ended = (opening: ReturnType<typeof opened>, state: string) =>
  waitFor(() => expect(last(opening)?.answer.state).toBe(state));

/** Has the server stream these frames, and know the run with this state. */
function streams(response: Response, state: object = {}): void {
  server.use(
    http.post(at("/chat/stream"), () => response),
    http.get(at(`/api/runs/${RUN}`), () => Response.json(runState(state))),
  );
}

beforeEach(() => vi.restoreAllMocks());

describe("a conversation", () => {
  it("shows the question at once, and the answer as it comes", async () => {
    streams(frames(["A ", "bond"]), { text: "A bond" });
    const opening = opened();
    await waitFor(() => expect(opening.result.current.chat.loading).toBe(false));
    act(() => opening.result.current.chat.ask("Bonds?"));
    expect(last(opening)).toMatchObject({ question: "Bonds?", answer: { state: "waiting" } });
    expect(opening.result.current.chat.busy).toBe(true);
    await ended(opening, "complete");
    expect(textOfAnswer(last(opening)!.answer)).toBe("A bond");
    expect(opening.result.current.chat.busy).toBe(false);
  });

  it("asks the question that was handed over, once", async () => {
    streams(frames(["Yes"]), { text: "Yes" });
    server.use(
      http.post(at("/api/threads"), () => Response.json({ id: THREAD, runnable: "chat", title: "" }, { status: 201 })),
    );
    await handOver(new QueryClient(), "chat", "Handed over?");
    const opening = opened();
    await ended(opening, "complete");
    expect(opening.result.current.chat.exchanges.map(({ question }) => question)).toEqual(["Handed over?"]);
  });

  it("joins a run that goes on, as after a reload", async () => {
    server.use(
      http.get(at(`/api/runs/${RUN}/stream`), () => sse([start(), token("On and on"), complete("On and on"), end()])),
    );
    const opening = opened([
      human("old", "Earlier"),
      { ...human("old", "Answer"), id: "a", role: "ai", status: "complete", usage },
      human(RUN, "Go on"),
    ]);
    await ended(opening, "complete");
    expect(opening.result.current.chat.exchanges).toHaveLength(2);
    expect(textOfAnswer(last(opening)!.answer)).toBe("On and on");
  });

  it("says so when the run that it would join is gone", async () => {
    server.use(http.get(at(`/api/runs/${RUN}/stream`), () => problem(404, "not-found", "There is no such run.")));
    const opening = opened([human(RUN, "Go on")]);
    await ended(opening, "failed");
    expect(last(opening)!.answer.trouble).toMatch(/is gone/);
  });

  it("reads on when the stream breaks off", async () => {
    streams(frames(["A "], false));
    server.use(
      http.get(at(`/api/runs/${RUN}/stream`), () =>
        sse([start(), token("A "), token("bond"), complete("A bond"), end()]),
      ),
    );
    const opening = opened();
    await waitFor(() => expect(opening.result.current.chat.loading).toBe(false));
    act(() => opening.result.current.chat.ask("Bonds?"));
    await ended(opening, "complete");
    expect(textOfAnswer(last(opening)!.answer)).toBe("A bond");
  });

  it("stops the run on the server, and keeps what came", async () => {
    let stopped = false;
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode('event: data\r\ndata: "A "\r\n\r\n'));
        await vi.waitUntil(() => stopped);
        controller.enqueue(new TextEncoder().encode("event: end\r\n\r\n"));
        controller.close();
      },
    });
    streams(new Response(body, { headers: { "content-type": "text/event-stream", "x-run-id": RUN } }) as never, {
      state: "cancelled",
      text: "A ",
    });
    server.use(
      http.post(at(`/api/runs/${RUN}/cancel`), () => {
        stopped = true;
        return Response.json(runState({ state: "cancelled" }), { status: 202 });
      }),
    );
    const opening = opened();
    await waitFor(() => expect(opening.result.current.chat.loading).toBe(false));
    act(() => opening.result.current.chat.ask("Bonds?"));
    await ended(opening, "streaming");
    act(() => opening.result.current.chat.stop());
    await ended(opening, "stopped");
    expect(textOfAnswer(last(opening)!.answer)).toBe("A ");
  });
});

describe("a session that ends", () => {
  const refused = () => problem(401, "unauthenticated", "Sign in.");

  it("gives a question that was not sent back to the person who signs in", async () => {
    const restore = vi.fn();
    const opening = opened([], restore);
    await waitFor(() => expect(opening.result.current.chat.loading).toBe(false));
    server.use(
      http.post(at("/chat/stream"), refused),
      http.post(at("/auth/session"), () => Response.json(ME)),
    );
    act(() => opening.result.current.chat.ask("Unsent"));
    await ended(opening, "signed-out");
    expect(opening.result.current.session.signedOut).toBe(true);
    expect(opening.result.current.chat.busy).toBe(false);
    await act(() => opening.result.current.session.signIn("gh_dev_key"));
    await waitFor(() => expect(restore).toHaveBeenCalledWith("Unsent"));
    expect(opening.result.current.chat.exchanges).toEqual([]);
    expect(opening.result.current.session.signedOut).toBe(false);
  });

  it("goes on with a run that had begun", async () => {
    let signedIn = false;
    server.use(
      http.get(at(`/api/runs/${RUN}/stream`), () =>
        signedIn ? sse([start(), token("A"), complete("A"), end()]) : refused(),
      ),
      http.post(at("/auth/session"), () => {
        signedIn = true;
        return Response.json(ME);
      }),
    );
    const opening = opened([human(RUN, "Go on")]);
    await ended(opening, "signed-out");
    await act(() => opening.result.current.session.signIn("gh_dev_key"));
    await ended(opening, "complete");
  });

  it("leaves the page when it is somebody else who signs in", async () => {
    const assign = vi.spyOn(location, "assign").mockImplementation(() => undefined);
    server.use(http.post(at("/auth/session"), () => Response.json({ ...ME, user_id: "bob" })));
    const opening = opened();
    await waitFor(() => expect(opening.result.current.session.me).toEqual(ME));
    sessionStorage.setItem("draft:new", "private");
    await act(() => opening.result.current.session.signIn("gh_dev_key"));
    expect(assign).toHaveBeenCalledWith("/");
    expect(sessionStorage.length).toBe(0);
  });
});
