import { act, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { at, complete, end, http, problem, RUN, server, sse, start, token } from "../server";
import { ended, human, ME, opened } from "./conversation";

beforeEach(() => vi.restoreAllMocks());

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
    act(() => opening.result.current.chat.ask({ text: "Unsent", files: [] }));
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
