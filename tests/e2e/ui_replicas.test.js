// The chat of Vercel's AI SDK over three replicas: an answer that one of them began is read at another.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chatOf, textOf, told } from "./ui_chat.js";

const REPLICAS = JSON.parse(process.env.GATEHOUSE_REPLICAS);
const SLOW = "[delay 0.02] [tokens 100]";
const WORDS = Array.from({ length: 100 }, (_, place) => `t${place + 1}`).join(" ");
const Chat = chatOf(await import(`ai-${process.env.CLIENT_VERSION}`));

describe(`a chat of ai ${process.env.CLIENT_VERSION} over three replicas`, () => {
  it("is resumed at another replica, from its beginning", async () => {
    const before = new Chat("chat", { base: REPLICAS[0].url });
    const asking = before.sendMessage({ text: SLOW });
    await before.reads(6);
    await before.stop();
    await asking;
    const after = new Chat("chat", { base: REPLICAS[1].url, id: before.id });
    await after.resumeStream();
    assert.deepEqual(told(after), [["assistant", WORDS]]);
  });

  it("goes on, asks again and stops behind nginx", async () => {
    const chat = new Chat("chat");
    await chat.sendMessage({ text: "[say one]" });
    await chat.sendMessage({ text: "[say two]" });
    await chat.regenerate();
    assert.deepEqual(told(chat), [["user", "[say one]"], ["assistant", "one"], ["user", "[say two]"], ["assistant", "two"]]);
    const asking = chat.sendMessage({ text: SLOW });
    await chat.reads(6);
    assert.equal(await chat.halt(), 204);
    await asking;
    assert.equal(chat.lastMessage.metadata.status, "cancelled");
  });

  it("has the whole answer whose replica was killed, when it resumes", async () => {
    const chat = new Chat("chat", { base: REPLICAS[0].url });
    const asking = chat.sendMessage({ text: SLOW });
    await chat.reads(30);
    process.kill(REPLICAS[0].pid, "SIGKILL");
    await asking;
    assert.equal(chat.status, "error");
    assert.equal(chat.lastMessage.metadata.status, undefined);
    assert.ok(textOf(chat.lastMessage).length < WORDS.length);
    chat.base = process.env.GATEHOUSE_URL;
    await chat.resumeStream();
    assert.deepEqual(told(chat), [["user", SLOW], ["assistant", WORDS]]);
    assert.equal(chat.lastMessage.metadata.status, "completed");
  });
});
