import { beforeEach, describe, expect, it } from "vitest";
import type { Question, Received, Runnable } from "@/api/events";
import { remoteRunnable } from "@/api/transports/remoteRunnable";
import { CHAT } from "../runnable";
import { at, complete, end, frames, http, problem, RUN, runState, server, sse, start, THREAD, token } from "../server";

const question = (output: "text" | "message" | "data", more: Partial<Runnable> = {}): Question => ({
  text: "Hello",
  threadId: THREAD,
  runnable: { ...CHAT, output, default: false, ...more },
});

async function asked(from: Question): Promise<Received["event"][]> {
  const events: Received["event"][] = [];
  for await (const { event } of remoteRunnable(from, new AbortController().signal)) events.push(event);
  return events;
}
const types = (events: Received["event"][]) => events.map(({ type }) => type);

function answers(path: string, response: Response, state: object = {}): Promise<Request> {
  return new Promise((resolve) =>
    server.use(
      http.post(at(path), ({ request }) => {
        resolve(request.clone());
        return response;
      }),
      http.get(at(`/api/runs/${RUN}`), () => Response.json(runState(state))),
    ),
  );
}

describe("RemoteRunnable as a transport", () => {
  it("streams text, and learns from the run's state how it ended", async () => {
    const request = answers("/chat/stream", frames(["A ", "bond"]), { text: "A bond" });
    const events = await asked(question("text"));
    expect(types(events)).toEqual(["start", "token", "token", "complete", "end"]);
    expect(events[0]).toMatchObject({ run_id: RUN, thread_id: THREAD });
    const sent = await request;
    expect(sent.headers.get("x-disconnect-grace")).toBe("300");
    expect(await sent.json()).toMatchObject({
      input: { input: "Hello" },
      config: { configurable: { thread_id: THREAD } },
    });
  });

  it("tells the text of the field that is to be read, and has the rest from the run's state", async () => {
    const value = { context: [{ page_content: "A bond is a loan." }], answer: "A bond" };
    const chunks = [{ context: value.context }, { answer: "A " }, { answer: "bond" }];
    void answers("/chat/stream", frames(chunks), { text: "A bond", value });
    const events = await asked(question("data", { answer_field: "answer" }));
    expect(types(events)).toEqual(["start", "token", "token", "complete", "end"]);
    expect(events[3]).toMatchObject({ content: "A bond", value });
  });

  it("reads a graph's run by its own events", async () => {
    server.use(http.post(at("/api/chat/stream"), () => sse([start(), token("A bond"), complete("A bond"), end()])));
    const events = await asked(question("message", { adds_up: false }));
    expect(types(events)).toEqual(["start", "token", "complete", "end"]);
  });

  it("streams events where an answer is a message, with the tools as they run", async () => {
    const chunk = (content: unknown) => ({
      event: "on_chain_stream",
      name: "chat",
      run_id: RUN,
      data: { chunk: { type: "AIMessageChunk", content, additional_kwargs: {} } },
    });
    const tool = { name: "calculator", run_id: "t1" };
    const request = answers(
      "/chat/stream_events",
      frames([
        { event: "on_chain_start", name: "chat", run_id: RUN, data: {} },
        chunk(""),
        { event: "on_tool_start", ...tool, data: { input: { expression: "6*7" } } },
        {
          event: "on_tool_end",
          ...tool,
          data: {
            output: { type: "tool", content: "42", tool_call_id: "c", additional_kwargs: {}, status: "success" },
          },
        },
        { event: "on_tool_start", name: "leak", run_id: "t2", data: { input: {} } },
        { event: "on_tool_error", name: "leak", run_id: "t2", data: { error: "It failed." } },
        { ...chunk("inner"), run_id: "another" },
        chunk([{ type: "text", text: "It is 42." }]),
      ]),
      { text: "It is 42." },
    );
    const events = await asked(question("message"));
    expect(types(events)).toEqual([
      "start",
      "tool_start",
      "tool_end",
      "tool_start",
      "tool_end",
      "token",
      "complete",
      "end",
    ]);
    expect(events[2]).toEqual({ type: "tool_end", tool: "calculator", call_id: "t1", output: "42", is_error: false });
    expect(events[4]).toMatchObject({ output: "It failed.", is_error: true });
    expect(events[5]).toEqual({ type: "token", content: "It is 42." });
    expect(await (await request).json()).toMatchObject({ include_types: ["tool"], include_names: ["/chat"] });
  });

  it("shows data as it grows, under the field that the runnable takes", async () => {
    const request = answers("/chat/stream", frames([{ title: "B" }, { title: "Bonds" }]), {
      text: '{"title":"Bonds"}',
    });
    const events = await asked(question("data", { input_field: "query" }));
    expect(types(events)).toEqual(["start", "gap", "gap", "complete", "end"]);
    expect(events[2]).toMatchObject({ text: '{"title":"Bonds"}' });
    expect(await (await request).json()).toMatchObject({ input: { query: "Hello" } });
  });

  it("ends without `end` when LangServe's last frame never came: somebody has to join the run", async () => {
    void answers("/chat/stream", frames(["A "], false));
    expect(types(await asked(question("text")))).toEqual(["start", "token"]);
  });

  it("tells the run's own problem after an error frame", async () => {
    const failure = { status: 500, detail: "The run failed.", type: "urn:gatehouse:problem:run-failed" };
    void answers("/chat/stream", frames(["A "], true, "error"), { state: "failed", text: "A bond", problem: failure });
    const events = await asked(question("text"));
    expect(types(events).filter((type) => type !== "token")).toEqual(["start", "gap", "error", "end"]);
    // the tokens that stood before the error frame may be lost with it
    expect(events.at(-3)).toMatchObject({ type: "gap", text: "A bond" });
    expect(events.at(-2)).toMatchObject({ content: "The run failed." });
  });

  it("reads the last events itself when the run's end is still being stored", async () => {
    void answers("/chat/stream", frames(["A"]), { state: "running", text: "A", last_event_id: "1-2" });
    let from: string | null = null;
    server.use(
      http.get(at(`/api/runs/${RUN}/stream`), ({ request }) => {
        from = request.headers.get("last-event-id");
        return sse([{ type: "end", status: "completed" }], 3);
      }),
    );
    expect(types(await asked(question("text")))).toEqual(["start", "token", "end"]);
    expect(from).toBe("1-2");
  });

  describe("when it is refused", () => {
    beforeEach(
      () => void answers("/chat/stream", problem(429, "rate-limited", "Wait a little.", { "retry-after": "9" })),
    );

    it("raises a problem that a person can read", async () => {
      await expect(asked(question("text"))).rejects.toMatchObject({ message: "Wait a little.", retryAfter: 9 });
    });
  });
});
