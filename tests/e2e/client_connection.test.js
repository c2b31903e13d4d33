// A browser that loses the network, and one that has two tabs.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { begin, counted, say, visit, whole } from "./visitor.js";

const texts = (page) => page.locator(".answer.complete .markdown").allInnerTexts();

describe("the web client's connection", () => {
  let browser, context, page, troubles;

  before(async () => {
    browser = await launch();
    ({ context, page, troubles } = await visit(browser));
  });
  after(() => browser.close());

  for (const [runnable, how] of [["chat", "stream"], ["agent", "streamEvents"]]) {
    it(`that is lost in the middle of ${how} is found again, without a lost or repeated token`, async () => {
      await begin(page, runnable, "[delay 0.03] [tokens 150]");
      await page.getByText("t10 t11").first().waitFor();
      await context.setOffline(true);
      await page.getByText("Connection lost. Reconnecting…").waitFor();
      assert.doesNotMatch(await page.locator(".answer").last().innerText(), /t150/);
      await context.setOffline(false);
      assert.equal(await whole(page), counted(150));
      assert.equal(await page.locator(".notice").count(), 0);
    });
  }

  it("that is away when a question is sent says so, and has it sent again", async () => {
    await context.setOffline(true);
    await say(page, "[say Here again.]");
    await page.getByText(/The server could not be reached/).waitFor();
    await context.setOffline(false);
    await page.getByRole("button", { name: "Ask again" }).click();
    assert.equal(await whole(page), "Here again.");
    troubles.splice(0); // the browser's own words on the lost network
  });

  it("of two tabs is the same conversation after a reload", async () => {
    await begin(page, "chat", "[say First.]");
    await whole(page);
    const second = await context.newPage();
    await second.goto(page.url());
    assert.equal(await whole(second), "First.");
    await say(second, "[say Second.]");
    await second.locator(".answer.complete").nth(1).waitFor();
    await second.locator(".thread.open").getByRole("button", { name: /^Rename/ }).click();
    await second.getByLabel("New title").fill("Both tabs");
    await second.keyboard.press("Enter");
    await second.getByRole("heading", { name: "Both tabs" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Both tabs" }).waitFor();
    await page.locator(".answer.complete .markdown").nth(1).waitFor();
    assert.deepEqual(await texts(page), ["First.", "Second."]);
    assert.deepEqual(await texts(page), await texts(second));
    await second.close();
    assert.deepEqual(troubles, []);
  });
});
