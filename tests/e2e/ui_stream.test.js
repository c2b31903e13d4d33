// The chat of Vercel's AI SDK, versions 6 and 7, as useChat has it, against the scripted model.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as ai6 from "ai-6";
import * as ai7 from "ai-7";
import { chatOf, textOf, told } from "./ui_chat.js";

const BASE = process.env.GATEHOUSE_URL;
const HEADERS = { "x-api-key": process.env.GATEHOUSE_KEY };
const SLOW = "[delay 0.02] [tokens 100]";
const WORDS = Array.from({ length: 100 }, (_, place) => `t${place + 1}`).join(" ");

for (const [version, sdk] of Object.entries({ ai6, ai7 })) {
  const Chat = chatOf(sdk);

  describe(`a chat of ${version}`, () => {
    it("reads an answer, its tools, and how it ended", async () => {
      const chat = new Chat();
      await chat.sendMessage({ text: '[tool calculator {"expression": "2+2"}] [say four]' });
      assert.equal(chat.error, undefined);
      const { parts, metadata } = chat.lastMessage;
      const tool = parts.find(({ type }) => type === "dynamic-tool");
      assert.deepEqual([tool.toolName, tool.state, tool.input], ["calculator", "output-available", { expression: "2+2" }]);
      assert.match(tool.output, /4/);
      assert.equal(textOf(chat.lastMessage), "four");
      assert.equal(metadata.status, "completed");
    });

    it("goes on in its thread, asks again and edits", async () => {
      const chat = new Chat("chat");
      await chat.sendMessage({ text: "[say one]" });
      await chat.sendMessage({ text: "[say two]" });
      await chat.regenerate();
      assert.deepEqual(told(chat), [["user", "[say one]"], ["assistant", "one"], ["user", "[say two]"], ["assistant", "two"]]);
      await chat.sendMessage({ text: "[say three]", messageId: chat.messages[2].id });
      assert.deepEqual(told(chat).slice(2), [["user", "[say three]"], ["assistant", "three"]]);
      const { threadId } = chat.lastMessage.metadata;
      const kept = await (await fetch(`${BASE}/api/threads/${threadId}/messages`, { headers: HEADERS })).json();
      assert.deepEqual(kept.items.map(({ content }) => content), ["[say one]", "one", "[say three]", "three"]);
    });

    it("resumes an answer that it stopped to read, in the place of what it had", async () => {
      const chat = new Chat("chat");
      const asking = chat.sendMessage({ text: SLOW });
      await chat.reads(6);
      await chat.stop();
      await asking;
      await chat.resumeStream();
      assert.deepEqual(told(chat), [["user", SLOW], ["assistant", WORDS]]);
    });

    it("resumes after a reload", async () => {
      const id = crypto.randomUUID();
      const before = new Chat("chat", { id });
      const asking = before.sendMessage({ text: SLOW });
      await before.reads(6);
      await before.stop();
      await asking;
      const after = new Chat("chat", { id });
      await after.resumeStream();
      assert.deepEqual(told(after), [["assistant", WORDS]]);
    });

    it("finds nothing to resume where nothing goes on", async () => {
      const chat = new Chat("chat");
      await chat.resumeStream();
      assert.deepEqual([chat.status, chat.error, chat.messages], ["ready", undefined, []]);
    });

    it("replaces an answer that began again, when it resumes", async () => {
      const chat = new Chat("second");
      await chat.sendMessage({ text: "Hi" });
      assert.match(chat.error.message, /resume the stream/);
      assert.deepEqual(told(chat), [["user", "Hi"], ["assistant", "a draft"]]);
      await chat.resumeStream();
      assert.deepEqual(told(chat), [["user", "Hi"], ["assistant", "the final words"]]);
    });

    for (const approved of [true, false]) {
      it(`${approved ? "lets a tool act" : "keeps a tool from acting"} that waits for a person`, async () => {
        const chat = new Chat("pay");
        await chat.sendMessage({ text: '[tool transfer {"to": "Bob", "amount": 5}] [say done]' });
        const asked = chat.lastMessage.parts.find(({ type }) => type === "dynamic-tool");
        assert.equal(asked.state, "approval-requested");
        await chat.addToolApprovalResponse({ id: asked.approval.id, approved, reason: "so be it" });
        while (chat.lastMessage.metadata.status !== "completed" && chat.status !== "error")
          await new Promise((resolve) => setTimeout(resolve, 20));
        assert.equal(chat.error, undefined);
        assert.equal(chat.messages.length, 2);
        const answered = chat.lastMessage.parts.filter(({ type }) => type === "dynamic-tool");
        assert.deepEqual(answered.map(({ state }) => state), [approved ? "output-available" : "output-denied"]);
        assert.equal(textOf(chat.lastMessage), "done");
      });
    }

    it("stops an answer on the server", async () => {
      const chat = new Chat("chat");
      const asking = chat.sendMessage({ text: SLOW });
      await chat.reads(6);
      assert.equal(await chat.halt(), 204);
      await asking;
      assert.equal(chat.lastMessage.metadata.status, "cancelled");
      assert.ok(textOf(chat.lastMessage).length < WORDS.length);
    });

    it("shows a person why it is refused", async () => {
      const chat = new Chat("chat", { headers: {} });
      await chat.sendMessage({ text: "Hi" });
      assert.equal(chat.status, "error");
      assert.doesNotMatch(chat.error.message, /[{}]/);
      const failing = new Chat("chat");
      await failing.sendMessage({ text: "[fail]" });
      assert.equal(failing.error.message, "The run failed. The server's log has the cause.");
    });
  });
}
