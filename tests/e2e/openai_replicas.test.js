// OpenAI's own client for Node over three replicas: what one of them began, another goes on to tell.
import assert from "node:assert/strict";
import { describe, it } from "node:test";

const { default: OpenAI } = await import(`openai-${process.env.CLIENT_VERSION}`);
const REPLICAS = JSON.parse(process.env.GATEHOUSE_REPLICAS);
const WORDS = Array.from({ length: 100 }, (_, place) => `t${place + 1}`).join(" ");
const SLOW = { model: "agent", input: "[delay 0.02] [tokens 100]", stream: true, background: true };

const clientOf = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.GATEHOUSE_KEY, maxRetries: 8 });
const edge = clientOf(process.env.GATEHOUSE_URL);
const kill = ({ pid }) => process.kill(pid, "SIGKILL");

/** Returns the first events of a stream, as many as are wanted. */
async function read(stream, most = Infinity) {
  const events = [];
  for await (const event of stream) if (events.push(event) >= most) break;
  return events;
}

const textOf = (events) => events.map(({ type, delta }) => (type === "response.output_text.delta" ? delta : "")).join("");

describe(`openai ${process.env.CLIENT_VERSION} over three replicas`, () => {
  const [first, second, third] = REPLICAS.map(({ url }) => clientOf(url).responses);

  it("is told the same by each of a response that one made", async () => {
    const begun = await first.create({ model: "agent", input: "[tokens 9]" });
    const told = await Promise.all([second, third].map((responses) => responses.retrieve(begun.id)));
    for (const response of told) assert.deepEqual(response, begun);
    const streams = [first, second, third].map(async (responses) => read(await responses.retrieve(begun.id, { stream: true })));
    const [events, ...same] = await Promise.all(streams);
    for (const others of same) assert.deepEqual(others, events);
  });

  it("reads on behind nginx, each time after what it saw, while the response is made", async () => {
    const events = await read(await edge.responses.create(SLOW), 15);
    const { id } = events[0].response;
    while (events.at(-1).type !== "response.completed") {
      const stream = await edge.responses.retrieve(id, { stream: true, starting_after: events.at(-1).sequence_number });
      events.push(...(await read(stream, 15)));
    }
    const numbers = events.map(({ sequence_number }) => sequence_number);
    assert.deepEqual(numbers, numbers.map((_, place) => place));
    assert.equal(textOf(events), WORDS);
  });

  it("goes on after a response of another replica, and stops one there", async () => {
    const begun = await first.create({ model: "agent", input: "[say one]" });
    const next = await second.create({ model: "agent", input: "[say two]", previous_response_id: begun.id });
    assert.equal(next.conversation.id, begun.conversation.id);
    const slow = await third.create({ ...SLOW, stream: false });
    assert.equal((await first.cancel(slow.id)).status, "cancelled");
  });

  it("reads a response to its end whose replica was killed", async () => {
    const events = [];
    await assert.rejects(async () => {
      for await (const event of await first.create(SLOW)) if (events.push(event) === 30) kill(REPLICAS[0]);
    });
    const seen = events.at(-1).sequence_number;
    const rest = await read(await edge.responses.retrieve(events[0].response.id, { stream: true, starting_after: seen }));
    const taken = rest.findIndex(({ type }) => type === "response.output_item.done");
    assert.deepEqual([rest[taken].item.status, rest[taken].sequence_number], ["incomplete", 1_000_000]);
    const { response } = rest.at(-1);
    assert.equal(response.status, "completed");
    assert.equal(textOf(rest.slice(taken)), WORDS);
    assert.deepEqual(response.output.map(({ content }) => content[0].text), [WORDS]);
    assert.equal((await edge.responses.retrieve(response.id)).output_text, WORDS);
  });

  it("is not told a chat whose replica was killed as if it were whole", async () => {
    const messages = [{ role: "user", content: SLOW.input }];
    const chunks = [];
    const stream = await clientOf(REPLICAS[1].url).chat.completions.create({ model: "agent", messages, stream: true });
    await assert.rejects(async () => {
      for await (const chunk of stream) if (chunks.push(chunk) === 30) kill(REPLICAS[1]);
    });
    assert.ok(chunks.every(({ choices }) => choices[0].finish_reason === null));
    const again = await edge.chat.completions.create({ model: "agent", messages });
    assert.equal(again.choices[0].message.content, WORDS);
  });
});
