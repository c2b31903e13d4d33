// OpenAI's own client for Node, versions 6 and 7, against the scripted model.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import * as openai6 from "openai-6";
import * as helpers6 from "openai-6/helpers/zod";
import * as openai7 from "openai-7";
import * as helpers7 from "openai-7/helpers/zod";

const BASE = process.env.GATEHOUSE_URL;
const [apiKey, strangers] = [process.env.GATEHOUSE_KEY, process.env.GATEHOUSE_OTHER_KEY];
const SLOW = "[delay 0.02] [tokens 50]";
const WORDS = Array.from({ length: 50 }, (_, place) => `t${place + 1}`).join(" ");
const TOOL = '[say Let me see.][tool calculator {"expression": "2+2"}][say Four.]';
const Event = z.object({ name: z.string(), guests: z.number() });
const SAVE = { type: "object", properties: { place: { type: "string" } }, required: ["place"] };

const asked = (content, more) => ({ model: "agent", messages: [{ role: "user", content }], ...more });
async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

for (const [version, { default: OpenAI }, { zodResponseFormat, zodTextFormat }] of [
  ["6", openai6, helpers6],
  ["7", openai7, helpers7],
]) {
  /** A client, and what it has asked, repetitions included. */
  const made = (key = apiKey) => {
    const requests = [];
    const counted = (url, init) => (requests.push(new URL(url).pathname), fetch(url, init));
    return { client: new OpenAI({ baseURL: `${BASE}/v1`, apiKey: key, fetch: counted }), requests };
  };
  const { client } = made();

  describe(`openai ${version}`, () => {
    it("lists the models", async () => {
      const models = await all(client.models.list());
      assert.deepEqual(models.map(({ id }) => id), ["chat", "summarize", "agent", "model"]);
      assert.equal((await client.models.retrieve("agent")).object, "model");
    });

    it("chats, in one piece and streamed", async () => {
      const whole = await client.chat.completions.create(asked(TOOL));
      assert.equal(whole.choices[0].message.content, "Let me see.\n\nFour.");
      assert.equal(whole.choices[0].finish_reason, "stop");
      const options = { stream: true, stream_options: { include_usage: true } };
      const chunks = await all(await client.chat.completions.create(asked(TOOL, options)));
      assert.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), "Let me see.\n\nFour.");
      assert.deepEqual(chunks.at(-1).usage, whole.usage);
      const helped = client.chat.completions.stream(asked("[tokens 3]"));
      assert.equal(await helped.finalContent(), "t1 t2 t3");
    });

    it("goes on in a thread that it names", async () => {
      const headers = { "x-thread-id": crypto.randomUUID() };
      const [first, second] = [
        await client.chat.completions.create(asked("[say one]"), { headers }).withResponse(),
        await client.chat.completions.create(asked("[say two]"), { headers }).withResponse(),
      ];
      const [thread, same] = [first, second].map(({ response }) => response.headers.get("x-thread-id"));
      assert.equal(thread, same);
    });

    it("parses what it has a schema for", async () => {
      const format = zodResponseFormat(Event, "event");
      const chat = await client.chat.completions.parse(asked("A party", { model: "model", response_format: format }));
      assert.ok(Event.safeParse(chat.choices[0].message.parsed).success);
      const text = { format: zodTextFormat(Event, "event") };
      const response = await client.responses.parse({ model: "model", input: "A party", text });
      assert.ok(Event.safeParse(response.output_parsed).success);
    });

    it("runs a tool of its own", async () => {
      const called = [];
      const look = { name: "look", parameters: SAVE, parse: JSON.parse, function: ({ place }) => (called.push(place), "seen") };
      const runner = client.chat.completions.runTools({
        ...asked('[tool look {"place": "here"}][say It is here.]', { model: "model" }),
        tools: [{ type: "function", function: look }],
      });
      assert.equal(await runner.finalContent(), "It is here.");
      assert.deepEqual(called, ["here"]);
    });

    it("asks for responses, in one piece and streamed, and goes on after one", async () => {
      const first = await client.responses.create({ model: "agent", input: TOOL });
      assert.equal(first.output_text, "Let me see.\n\nFour.");
      assert.deepEqual(first.output.map(({ type }) => type), ["message", "mcp_call", "message"]);
      const stream = client.responses.stream({ model: "agent", input: "[tokens 3]", previous_response_id: first.id });
      const second = await stream.finalResponse();
      assert.equal(second.output_text, "t1 t2 t3");
      assert.equal(second.conversation.id, first.conversation.id);
      assert.equal((await client.responses.retrieve(second.id)).output_text, "t1 t2 t3");
      const items = await all(client.responses.inputItems.list(second.id));
      assert.equal(items[0].content[0].text, "[tokens 3]");
    });

    it("reads on after the last event that it saw", async () => {
      const begun = await client.responses.create({ model: "agent", input: SLOW, background: true, stream: true });
      const seen = [];
      for await (const event of begun) if (seen.push(event) === 20) break;
      const { id } = seen[0].response;
      const rest = await all(await client.responses.retrieve(id, { stream: true, starting_after: 19 }));
      const numbers = [...seen, ...rest].map(({ sequence_number }) => sequence_number);
      assert.deepEqual(numbers, numbers.map((_, place) => place));
      const deltas = [...seen, ...rest].filter(({ type }) => type === "response.output_text.delta");
      assert.equal(deltas.map(({ delta }) => delta).join(""), WORDS);
    });

    it("polls a response in the background, and cancels one", async () => {
      let response = await client.responses.create({ model: "agent", input: "[delay 0.01] [tokens 9]", background: true });
      assert.equal(response.status, "queued");
      while (["queued", "in_progress"].includes(response.status)) response = await client.responses.retrieve(response.id);
      assert.deepEqual([response.status, response.output_text.length], ["completed", 26]);
      const slow = await client.responses.create({ model: "agent", input: "[delay 0.1] [tokens 500]", background: true });
      assert.equal((await client.responses.cancel(slow.id)).status, "cancelled");
    });

    it("decides on what a response waits for", async () => {
      const input = '[tool transfer_money {"to": "bob", "amount": 5}] [say done]';
      const waiting = await client.responses.create({ model: "agent", input });
      const [request] = waiting.output.filter(({ type }) => type === "mcp_approval_request");
      assert.equal(request.name, "transfer_money");
      const answer = { type: "mcp_approval_response", approval_request_id: request.id, approve: false };
      const then = await client.responses.create({ model: "agent", input: [answer], previous_response_id: waiting.id });
      assert.equal(then.output_text, "done");
    });

    for (const [what, ask, kind] of [
      ["an unknown model", (it) => it.models.retrieve("nothing"), "NotFoundError"],
      ["a parameter that is not supported", (it) => it.chat.completions.create(asked("Hi", { n: 2 })), "BadRequestError"],
      ["a body that is wrong", (it) => it.responses.create({ model: "agent", input: [{ role: "pirate" }] }), "BadRequestError"],
      ["a run that failed", (it) => it.chat.completions.create(asked("[fail]")), "InternalServerError"],
    ])
      it(`is told of ${what} once, in an error of its own`, async () => {
        const { client: counting, requests } = made();
        await assert.rejects(ask(counting), (error) => error instanceof OpenAI[kind] && error.message.length > 10);
        assert.equal(requests.length, 1);
      });

    it("is told that a key is not valid, and of nothing that is another's", async () => {
      await assert.rejects(made("gh_dev_nonsense").client.models.list(), OpenAI.AuthenticationError);
      const { id } = await client.responses.create({ model: "agent", input: "[tokens 1]" });
      await assert.rejects(made(strangers).client.responses.retrieve(id), OpenAI.NotFoundError);
    });

    it("asks once where the thread is busy", async () => {
      const headers = { "x-thread-id": crypto.randomUUID() };
      const busy = await client.chat.completions.create(asked("[delay 0.1] [tokens 500]", { stream: true }), { headers });
      const { client: counting, requests } = made();
      await assert.rejects(counting.chat.completions.create(asked("Hi"), { headers }), OpenAI.ConflictError);
      assert.equal(requests.length, 1);
      busy.controller.abort();
    });

    it("is told in a stream that the run failed", async () => {
      const stream = await client.chat.completions.create(asked("[fail after 2]", { stream: true }));
      await assert.rejects(all(stream), (error) => error instanceof OpenAI.APIError && error.code === "run_failed");
      const told = await client.responses.create({ model: "agent", input: "[fail after 2]", stream: true });
      if (version === "7") return assert.rejects(all(told), (error) => error.code === "run_failed");
      const events = await all(told); // version 6 passes the error on as an event
      assert.deepEqual(events.slice(-2).map(({ type }) => type), ["error", "response.failed"]);
    });
  });
}
