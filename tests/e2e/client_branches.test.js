// Editing a question, asking it again, going from one version to another, and files beside a question.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { barriers, BASE, say, shot, visit, whole } from "./visitor.js";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const image = (name) => ({ name, mimeType: "image/png", buffer: PNG });
const SIZES = {
  desktop: { viewport: { width: 1200, height: 800 } },
  phone: { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true },
};

for (const [size, options] of Object.entries(SIZES)) {
  describe(`the web client on a ${size}`, () => {
    let browser, page, troubles;

    const question = (place) => page.locator(".exchanges > li").nth(place);
    const tool = (place, name) => question(place).getByRole("button", { name });
    const start = async (text) => {
      await page.goto(`${BASE}/`);
      await page.locator(".choice", { hasText: /^Chat/i }).click();
      await say(page, text);
      await page.waitForURL(/\/threads\//);
    };
    const chip = (name) => page.locator(".composer .chip", { hasText: name });

    before(async () => {
      browser = await launch();
      ({ page, troubles } = await visit(browser, options));
    });
    after(() => browser.close());
    afterEach(() => assert.deepEqual(troubles.splice(0), []));

    it("edits a question, and keeps what was said", async () => {
      await start("[say one]");
      assert.equal(await whole(page), "one");
      await say(page, "[say two]");
      await page.locator(".answer", { hasText: /^two/ }).waitFor();
      await whole(page);
      await question(0).hover();
      await tool(0, "Edit the question").click();
      await page.getByLabel("Edit your message").fill("[say three]");
      await shot(page, `edit-${size}`);
      await page.getByRole("button", { name: "Ask this" }).click();
      await page.locator(".answer.complete", { hasText: /^three/ }).waitFor();
      assert.equal(await page.locator(".exchanges > li").count(), 1);
      await page.getByText("2 / 2").waitFor();
      await shot(page, `versions-${size}`);
      assert.deepEqual(await barriers(page), []);
    });

    it("goes back to the earlier version, also after a reload, and on from there", async () => {
      await tool(0, "Earlier version").click();
      await page.locator(".answer", { hasText: /^two/ }).waitFor();
      assert.equal(await page.locator(".exchanges > li").count(), 2);
      await page.reload();
      await page.locator(".answer", { hasText: /^two/ }).waitFor();
      await page.getByText("1 / 2").waitFor();
      assert.ok(await tool(0, "Earlier version").isDisabled());
      await say(page, "[say four]");
      await page.locator(".answer.complete", { hasText: /^four/ }).waitFor();
      await tool(0, "Later version").click();
      await page.locator(".answer", { hasText: /^three/ }).waitFor();
      assert.equal(await page.locator(".exchanges > li").count(), 1);
    });

    it("asks the same again while it streams it anew", async () => {
      await start("[delay 0.02] [tokens 30]");
      await whole(page);
      await question(0).hover();
      await tool(0, "Repeat the question").click();
      await page.getByRole("button", { name: "Stop" }).waitFor();
      await whole(page);
      await page.getByText("2 / 2").waitFor();
    });

    it("attaches files by button, paste and drop, and takes one off", async () => {
      await page.goto(`${BASE}/`);
      await page.locator(".choice", { hasText: /^Agent/i }).click();
      await page.locator('input[type="file"]').setInputFiles([image("button.png")]);
      await chip("button.png").locator("img").waitFor();
      for (const [kind, name] of [["paste", "pasted.png"], ["drop", "dropped.png"]]) {
        const bytes = [...PNG];
        const data = await page.evaluateHandle(
          ([content, called]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(content)], called, { type: "image/png" }));
            return transfer;
          },
          [bytes, name],
        );
        if (kind === "drop") await page.locator(".composer").dispatchEvent("drop", { dataTransfer: data });
        else {
          await page.getByLabel("Your message").evaluate(
            (field, clipboardData) => field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true })),
            data,
          );
        }
        await chip(name).locator("img").waitFor();
      }
      await shot(page, `attach-${size}`);
      assert.deepEqual(await barriers(page), []);
      await page.getByRole("button", { name: "Remove pasted.png" }).click();
      await chip("pasted.png").waitFor({ state: "detached" });
      await say(page, "[say nice]");
      await page.waitForURL(/\/threads\//);
      assert.equal(await whole(page), "nice");
      const shown = () => page.locator(".question .chip-name").allInnerTexts();
      assert.deepEqual(await shown(), ["button.png", "dropped.png"]);
      await page.reload();
      await page.locator(".question .chip img").first().waitFor();
      assert.deepEqual(await shown(), ["button.png", "dropped.png"]);
      await page.waitForFunction(() => {
        const drawn = document.querySelector(".question .chip img");
        return drawn.complete && drawn.naturalWidth === 1;
      });
      await shot(page, `attached-${size}`);
    });

    it("says why a file is not taken, and asks without it", async () => {
      await page.goto(`${BASE}/`);
      const program = { name: "a.exe", mimeType: "image/png", buffer: Buffer.from("MZ\x90\x00") };
      await page.locator('input[type="file"]').setInputFiles([program]);
      await page.locator(".chip.trouble", { hasText: "by its content" }).waitFor();
      assert.ok(troubles.splice(0).every((trouble) => trouble.includes("415")));
      await page.getByRole("button", { name: "Remove a.exe" }).click();
      await chip("a.exe").waitFor({ state: "detached" });
    });
  });
}
