import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { describe, expect, it } from "vitest";
import { SessionProvider } from "@/hooks/session";
import { useAttachments } from "@/hooks/useAttachments";
import { at, http, problem, server } from "../server";
import { ME } from "./conversation";

const KEPT = { id: "f1", name: "a.png", media_type: "image/png", size: 3, thread_id: null };
const file = (name = "a.png") => new File(["abc"], name, { type: "image/png" });

function rendered(scopes: string[] = ["*"]) {
  server.use(http.get(at("/api/me"), () => Response.json({ ...ME, scopes })));
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={new QueryClient()}>
      <SessionProvider>{children}</SessionProvider>
    </QueryClientProvider>
  );
  return renderHook(() => useAttachments({ takes_files: true }), { wrapper }).result;
}

describe("the files of a question", () => {
  it("are uploaded at once, and taken when it is asked", async () => {
    server.use(http.post(at("/api/attachments"), () => Response.json(KEPT, { status: 201 })));
    const result = rendered();
    act(() => result.current.add([file()]));
    expect(result.current.busy).toBe(true);
    await waitFor(() => expect(result.current.drafts[0]?.sent?.id).toBe("f1"), { timeout: 5000 });
    expect(result.current.busy).toBe(false);
    let taken: unknown[] = [];
    act(() => (taken = result.current.take()));
    expect(taken).toMatchObject([{ id: "f1" }]);
    expect(result.current.drafts).toEqual([]);
  });

  it("are erased again when they are removed", async () => {
    let erased = "";
    server.use(
      http.post(at("/api/attachments"), () => Response.json(KEPT, { status: 201 })),
      http.delete(at("/api/attachments/:id"), ({ params }) => {
        erased = String(params["id"]);
        return new Response(null, { status: 204 });
      }),
    );
    const result = rendered();
    act(() => result.current.add([file()]));
    await waitFor(() => expect(result.current.drafts[0]?.sent).toBeDefined(), { timeout: 5000 });
    act(() => result.current.remove(result.current.drafts[0]!.key));
    expect(result.current.drafts).toEqual([]);
    await waitFor(() => expect(erased).toBe("f1"), { timeout: 5000 });
  });

  it("say why the server does not take one", async () => {
    server.use(http.post(at("/api/attachments"), () => problem(415, "unsupported-media-type", "No such kind.")));
    const result = rendered();
    act(() => result.current.add([file("a.exe")]));
    await waitFor(() => expect(result.current.drafts[0]?.trouble).toMatch(/No such kind/), { timeout: 5000 });
    expect(result.current.take()).toEqual([]);
  });

  it("are at most ten", () => {
    server.use(http.post(at("/api/attachments"), () => Response.json(KEPT, { status: 201 })));
    const result = rendered();
    act(() => result.current.add(Array.from({ length: 12 }, () => file())));
    expect(result.current.drafts).toHaveLength(10);
  });

  it.each([
    [["attachments:write"], true],
    [["*"], true],
    [["runnable:chat"], false],
  ])("may be attached with the scopes %j: %j", async (scopes, allowed) => {
    const queries = new QueryClient();
    server.use(http.get(at("/api/me"), () => Response.json({ ...ME, scopes })));
    const wrapper = ({ children }: { children: ReactNode }) => (
      <QueryClientProvider client={queries}>
        <SessionProvider>{children}</SessionProvider>
      </QueryClientProvider>
    );
    const { result } = renderHook(() => useAttachments({ takes_files: true }), { wrapper });
    await waitFor(() => expect(queries.getQueryData(["me"])).toBeDefined(), { timeout: 5000 });
    await waitFor(() => expect(result.current.allowed).toBe(allowed), { timeout: 5000 });
  });
});
