import { act, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { textOfAnswer } from "@/chat/exchange";
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

const NEW = "01a1fd12-1111-7780-9193-c8e17af868e1";
const ai = (run_id: string, content: string) => ({
  ...human(run_id, content),
  id: `a-${run_id}`,
  role: "ai",
  status: "complete",
  usage,
});
const asked = [human(RUN, "Bonds?"), ai(RUN, "Loans")];

/** Has the server take what is asked in place of a message; returns what it was sent. */
function forks(after: object[]): unknown[] {
  const sent: unknown[] = [];
  server.use(
    http.post(at(`/api/threads/${THREAD}/fork`), async ({ request }) => {
      sent.push(await request.json());
      server.use(
        http.get(at(`/api/threads/${THREAD}/messages`), () => Response.json({ items: after, next_cursor: null })),
      );
      return Response.json(runState({ run_id: NEW, state: "running" }), { status: 202 });
    }),
    http.get(at(`/api/runs/${NEW}/stream`), () =>
      sse([{ ...start(), run_id: NEW } as never, token("Shares"), complete("Shares"), end()]),
    ),
  );
  return sent;
}

const branched = { ...human(NEW, "Shares?"), branches: [`h-${RUN}`, `h-${NEW}`] };

describe("a question that is asked anew", () => {
  it("is sent in place of its message, and its run is followed", async () => {
    const sent = forks([branched]);
    const opening = opened(asked);
    await waitFor(() => expect(last(opening)?.answer.state).toBe("complete"), { timeout: 5000 });
    act(() => opening.result.current.chat.branching.fork(last(opening)!, { query: "Shares?" }));
    await waitFor(() => expect(last(opening)).toMatchObject({ question: "Shares?", answer: { state: "complete" } }), {
      timeout: 5000,
    });
    expect(sent).toEqual([{ message_id: `h-${RUN}`, query: "Shares?" }]);
    expect(opening.result.current.chat.exchanges).toHaveLength(1);
    expect(textOfAnswer(last(opening)!.answer)).toBe("Shares");
    expect(last(opening)).toMatchObject({ branches: branched.branches, messageId: `h-${NEW}` });
  });

  it("is found by its run when it was asked on this page", async () => {
    streams(frames(["Loans"]), { text: "Loans" });
    const sent = forks([branched]);
    const opening = opened();
    await waitFor(() => expect(opening.result.current.chat.loading).toBe(false), { timeout: 5000 });
    act(() => opening.result.current.chat.ask({ text: "Bonds?", files: [] }));
    await waitFor(() => expect(last(opening)?.answer.state).toBe("complete"), { timeout: 5000 });
    server.use(
      http.get(at(`/api/threads/${THREAD}/messages`), () => Response.json({ items: asked, next_cursor: null })),
    );
    act(() => opening.result.current.chat.branching.fork(last(opening)!));
    await waitFor(() => expect(sent).toEqual([{ message_id: `h-${RUN}` }]), { timeout: 5000 });
    await ended(opening, "complete");
  });

  it("leaves all as it is, with a sentence, when the server refuses", async () => {
    server.use(http.post(at(`/api/threads/${THREAD}/fork`), () => problem(409, "conflict", "This thread has a run.")));
    const opening = opened(asked);
    await waitFor(() => expect(last(opening)?.answer.state).toBe("complete"), { timeout: 5000 });
    act(() => opening.result.current.chat.branching.fork(last(opening)!));
    await waitFor(() => expect(opening.result.current.chat.branching.trouble).toMatch(/has a run/), { timeout: 5000 });
    expect(last(opening)!.question).toBe("Bonds?");
  });
});

describe("another branch", () => {
  it("is shown as the server has it", async () => {
    const opening = opened([branched, ai(NEW, "Shares")]);
    let chosen: unknown;
    server.use(
      http.put(at(`/api/threads/${THREAD}/branch`), async ({ request }) => {
        chosen = await request.json();
        server.use(
          http.get(at(`/api/threads/${THREAD}/messages`), () => Response.json({ items: asked, next_cursor: null })),
        );
        return Response.json({ id: THREAD, runnable: "chat", title: "" });
      }),
    );
    await waitFor(() => expect(last(opening)?.question).toBe("Shares?"), { timeout: 5000 });
    act(() => opening.result.current.chat.branching.show(`h-${RUN}`));
    await waitFor(() => expect(last(opening)?.question).toBe("Bonds?"), { timeout: 5000 });
    expect(chosen).toEqual({ message_id: `h-${RUN}` });
  });
});
