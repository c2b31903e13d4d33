// LangServe's chat playground: several turns with what returns a message, a text, and with an agent.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ARTEFACTS, launch } from "./browser.js";
import { BASE, comeByLink } from "./visitor.js";

describe("in the chat playground", () => {
  let browser, page, troubles;

  before(async () => {
    browser = await launch();
    ({ page, troubles } = await comeByLink(browser));
  });
  after(() => browser.close());

  // The page takes what is written before it knows the schemas, and asks without the input's fields then.
  async function open(name) {
    await page.goto(`${BASE}/${name}/playground/`, { waitUntil: "networkidle" });
  }

  // It shows an answer's last word before the stream's end, and drops what is entered until then.
  async function say(text) {
    const box = page.getByPlaceholder("Send a message...");
    await box.waitFor();
    await page.locator(".animate-spin").waitFor({ state: "detached" });
    await box.fill(text);
    await box.press("Enter");
  }

  for (const name of ["message", "text", "whole"]) {
    it(`/${name} is told what was said before, over three turns`, async () => {
      await open(name);
      await say("one");
      await page.getByText("1 messages, the last: one").first().waitFor();
      await say("two");
      await page.getByText("3 messages, the last: two").first().waitFor();
      await say("three");
      await page.getByText("5 messages, the last: three").first().waitFor();
      await page.screenshot({ path: `${ARTEFACTS}/chat-playground-${name}.png` });
    });
  }

  it("/agent answers, over two turns", async () => {
    await open("agent");
    await say("[say Bonds are loans.]");
    await page.getByText("Bonds are loans.", { exact: true }).first().waitFor();
    await say("[say To a state.]");
    await page.getByText("To a state.", { exact: true }).first().waitFor();
  });

  it("saw no error, and nothing from elsewhere", () => assert.deepEqual(troubles, []));
});
