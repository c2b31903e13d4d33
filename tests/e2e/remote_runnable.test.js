// RemoteRunnable of @langchain/core 0.3.80 under Node, against the scripted model.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RemoteRunnable } from "@langchain/core/runnables/remote";

const BASE = process.env.GATEHOUSE_URL;
const credentials = {
  JWT: { authorization: `Bearer ${process.env.GATEHOUSE_TOKEN}` },
  "API key": { "x-api-key": process.env.GATEHOUSE_KEY },
};

const remote = (path, headers = credentials["API key"], more = {}) =>
  new RemoteRunnable({ url: `${BASE}${path}`, options: { headers }, ...more });

const collected = async (stream) => {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
};

const inputs = {
  "/chat": { input: "[tokens 5]" },
  "/agent": { input: "[tokens 5]" },
  "/summarize": { text: "Bonds are loans.", length: "short" },
};
const textOf = { "/chat": (output) => output, "/agent": (output) => output.content };

for (const [kind, headers] of Object.entries(credentials)) {
  describe(`RemoteRunnable with ${kind}`, () => {
    for (const path of ["/chat", "/agent"]) {
      it(`invokes ${path}`, async () => {
        const output = await remote(path, headers).invoke(inputs[path]);
        assert.equal(textOf[path](output).trim(), "t1 t2 t3 t4 t5");
      });

      it(`batches ${path}`, async () => {
        const outputs = await remote(path, headers).batch([inputs[path], { input: "[tokens 2]" }]);
        assert.deepEqual(outputs.map((output) => textOf[path](output).trim()), ["t1 t2 t3 t4 t5", "t1 t2"]);
      });

      it(`streams ${path} token by token`, async () => {
        const chunks = await collected(remote(path, headers).stream(inputs[path]));
        const texts = chunks.map(textOf[path]).filter(Boolean);
        assert.ok(texts.length >= 5, `only ${texts.length} chunks`);
        assert.equal(texts.join("").trim(), "t1 t2 t3 t4 t5");
      });
    }

    it("gets a structured summary from every call of /summarize", async () => {
      const summarize = remote("/summarize", headers);
      const invoked = await summarize.invoke(inputs["/summarize"]);
      assert.deepEqual(Object.keys(invoked).sort(), ["key_points", "summary", "title"]);
      assert.deepEqual(await summarize.batch([inputs["/summarize"]]), [invoked]);
      assert.deepEqual((await collected(summarize.stream(inputs["/summarize"]))).at(-1), invoked);
    });

    it("sees the agent's tools in streamEvents", async () => {
      const input = { input: '[tool calculator {"expression": "6*7"}] [tokens 3]' };
      const events = await collected(remote("/agent", headers).streamEvents(input, { version: "v2" }));
      const tools = events.filter((event) => event.event.startsWith("on_tool_"));
      assert.deepEqual(tools.map((event) => [event.event, event.name]), [
        ["on_tool_start", "calculator"],
        ["on_tool_end", "calculator"],
      ]);
      assert.match(JSON.stringify(tools[1].data.output), /42/);
      assert.ok(events.some((event) => event.event === "on_chat_model_stream"));
    });
  });
}

describe("RemoteRunnable when something is wrong", () => {
  it("rejects without a credential", async () => {
    await assert.rejects(remote("/chat", {}).invoke(inputs["/chat"]), /401/);
    await assert.rejects(remote("/chat", {}).stream(inputs["/chat"]), /401/);
  });

  it("rejects with a bad credential", async () => {
    await assert.rejects(remote("/chat", { "x-api-key": "gh_dev_nonsense" }).invoke(inputs["/chat"]), /401/);
  });

  it("throws at an error in the middle of a stream, after the tokens before it, without its secret", async () => {
    const chunks = [];
    const streaming = async () => {
      for await (const chunk of await remote("/chat").stream({ input: "[tokens 10] [fail after 3]" })) chunks.push(chunk);
    };
    await assert.rejects(streaming(), (error) => {
      assert.match(String(error), /The run failed/);
      return true;
    });
    assert.equal(chunks.join("").trim(), "t1 t2 t3");
  });

  it("stops the run when its signal is aborted", async () => {
    let runId;
    const watching = async (...args) => {
      const response = await fetch(...args);
      runId = response.headers.get("x-run-id");
      return response;
    };
    const abort = new AbortController();
    const chunks = [];
    const streaming = async () => {
      const chat = remote("/chat", undefined, { fetch: watching });
      const stream = await chat.stream({ input: "[tokens 1000] [delay 0.02]" }, { signal: abort.signal });
      for await (const chunk of stream) {
        chunks.push(chunk);
        if (chunks.length === 5) abort.abort();
      }
    };
    await assert.rejects(streaming());
    const state = async () =>
      (await (await fetch(`${BASE}/api/runs/${runId}`, { headers: credentials["API key"] })).json()).state;
    const deadline = Date.now() + 5000;
    while ((await state()) === "running" && Date.now() < deadline) await new Promise((done) => setTimeout(done, 50));
    assert.equal(await state(), "cancelled");
  });
});

describe("RemoteRunnable and a person's word", () => {
  const SEND = '[tool transfer_money {"to": "carol", "amount": 12.5}] [say Sent.]';
  const headers = { ...credentials["API key"], "content-type": "application/json" };
  const api = async (path, body) => {
    const sent = body && { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`${BASE}/api/${path}`, { headers, ...sent });
    assert.equal(answer.status, 200);
    return answer.json();
  };

  it("fails with what waits, and the demonstration's agent sends money once it is approved", async () => {
    await assert.rejects(remote("/agent").invoke({ input: SEND }), /approval-required/);
    const [asked] = (await api("approvals?status=pending")).approvals;
    assert.deepEqual(asked.args, { to: "carol", amount: 12.5 });
    await api(`approvals/${asked.id}/decision`, { decision: "approve", digest: asked.digest });
    const stream = await fetch(`${BASE}/api/runs/${asked.run_id}/stream`, { headers });
    const told = await stream.text();
    assert.match(told, /event: tool_end\n.*12\.5/);
    assert.match(told, /Sent\.[^]*"status":\s*"completed"/);
  });
});
