import { QueryClient } from "@tanstack/react-query";
import { act, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { textOfAnswer } from "@/chat/exchange";
import { handOver } from "@/hooks/handover";
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
import { ended, human, last, opened, streams } from "./conversation";

beforeEach(() => vi.restoreAllMocks());

describe("a conversation", () => {
  it("shows the question at once, and the answer as it comes", async () => {
    streams(frames(["A ", "bond"]), { text: "A bond" });
    const opening = opened();
    await waitFor(() => expect(opening.result.current.chat.loading).toBe(false));
    act(() => opening.result.current.chat.ask({ text: "Bonds?", files: [] }));
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
    await handOver(new QueryClient(), "chat", { text: "Handed over?", files: [] });
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
    act(() => opening.result.current.chat.ask({ text: "Bonds?", files: [] }));
    await ended(opening, "complete");
    expect(textOfAnswer(last(opening)!.answer)).toBe("A bond");
  });

  it("stops the run on the server, and keeps what came", async () => {
    let stopped = false;
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode('event: data\ndata: "A "\n\n'));
        await vi.waitUntil(() => stopped);
        controller.enqueue(new TextEncoder().encode("event: end\n\n"));
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
    act(() => opening.result.current.chat.ask({ text: "Bonds?", files: [] }));
    await ended(opening, "streaming");
    act(() => opening.result.current.chat.stop());
    await ended(opening, "stopped");
    expect(textOfAnswer(last(opening)!.answer)).toBe("A ");
  });
});
