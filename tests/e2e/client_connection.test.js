// A browser that loses the network, and one that has two tabs.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { lossyLine } from "./lossy_line.js";
import { BASE, begin, counted, say, visit, whole } from "./visitor.js";

const texts = (page) => page.locator(".answer.complete .markdown").allTextContents();

describe("the web client's connection", () => {
  let browser, context, page, line, troubles;

  before(async () => {
    browser = await launch();
    line = await lossyLine(BASE);
    ({ context, page, troubles } = await visit(browser, { base: line.url }));
  });
  after(async () => {
    await browser.close();
    line.close();
  });

  const lose = async () => {
    await context.setOffline(true);
    line.cut();
  };
  const find = async () => {
    line.mend();
    await context.setOffline(false);
  };

  for (const [runnable, how] of [["chat", "stream"], ["agent", "streamEvents"]]) {
    it(`that is lost in the middle of ${how} is found again, without a lost or repeated token`, async () => {
      await begin(page, runnable, "[delay 0.03] [tokens 150]");
      await page.getByText("t10 t11").first().waitFor();
      await lose();
      await page.getByText("Connection lost. Reconnecting…").waitFor();
      assert.doesNotMatch(await page.locator(".answer").last().innerText(), /t150/);
      await find();
      assert.equal(await whole(page), counted(150));
      assert.equal(await page.locator(".notice").count(), 0);
    });
  }

  it("that is away when a question is sent says so, and has it sent again", async () => {
    await lose();
    await say(page, "[say Here again.]");
    await page.locator(".notice", { hasText: "broke off before an answer began" }).waitFor();
    await find();
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
