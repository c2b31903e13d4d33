// Asking by a form, and what answers hold beside text: sources, progress, the state of a graph, an answer cut off.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { answer, barriers, BASE, say, shot, visit, whole } from "./visitor.js";

const SIZES = {
  desktop: { viewport: { width: 1200, height: 800 } },
  phone: { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true, colorScheme: "dark" },
};

for (const [size, options] of Object.entries(SIZES)) {
  describe(`the web client on a ${size}`, () => {
    let browser, page, troubles;

    const choose = async (name) => {
      await page.goto(`${BASE}/`);
      await page.locator(".choice", { hasText: new RegExp(`^${name}`, "i") }).click();
    };
    const form = () => page.locator(".dock .schema-form");
    const width = () => page.evaluate(() => Math.max(innerWidth, document.documentElement.scrollWidth));

    before(async () => {
      browser = await launch();
      ({ page, troubles } = await visit(browser, options));
    });
    after(() => browser.close());
    afterEach(() => assert.deepEqual(troubles.splice(0), []));

    it("asks for an input by a form, and says what is wrong with it", async () => {
      await choose("Order");
      await form().getByLabel("Symbol").fill("aapl");
      await form().getByRole("button", { name: "Ask" }).click();
      await form().getByText("This is not of the expected form").waitFor();
      assert.ok(await form().getByLabel("Symbol").evaluate((field) => field === document.activeElement));
      assert.deepEqual(await form().locator(".field-fault").allInnerTexts(), [
        "This is not of the expected form, ^[A-Z]{1,5}$",
        "This is needed.",
      ]);
      await shot(page, `form-${size}`);
      assert.deepEqual(await barriers(page), []);
      assert.equal(await width(), options.viewport.width);
      await form().getByLabel("Symbol").fill("AAPL");
      await form().getByLabel("Quantity").fill("3");
      await form().getByLabel("Kind").selectOption("sell");
      await form().getByRole("button", { name: "Add entry" }).click();
      await form().getByLabel("Entry 1", { exact: true }).fill("old");
      await form().getByLabel("Name").fill("Ann");
      await form().getByRole("button", { name: "Ask" }).click();
      await page.waitForURL(/\/threads\//);
      assert.equal(await whole(page), "sell 3 AAPL for Ann, tagged old.");
      assert.match(await page.locator(".question").innerText(), /Symbol\s+AAPL\s+Quantity\s+3/);
    });

    it("shows what was asked after a reload, asks it again, and edits it in the form", async () => {
      await page.reload();
      assert.equal(await whole(page), "sell 3 AAPL for Ann, tagged old.");
      await shot(page, `form-asked-${size}`);
      await page.locator(".question").hover();
      await page.getByRole("button", { name: "Repeat the question" }).click();
      await page.getByText("2 / 2").waitFor();
      assert.equal(await whole(page), "sell 3 AAPL for Ann, tagged old.");
      await page.locator(".question").hover();
      await page.getByRole("button", { name: "Edit the question" }).click();
      await page.getByLabel("Quantity").fill("7");
      await shot(page, `form-edit-${size}`);
      await page.getByRole("button", { name: "Ask this" }).click();
      await answer(page).getByText("sell 7 AAPL").waitFor();
      await page.getByText("3 / 3").waitFor();
    });

    it("keeps a form that is half filled in over a reload, until it is sent", async () => {
      await choose("Order");
      await form().getByLabel("Symbol").fill("IBM");
      await form().getByRole("button", { name: "Add entry" }).click();
      await form().getByLabel("Entry 1", { exact: true }).fill("half");
      await page.reload();
      assert.equal(await form().getByLabel("Symbol").inputValue(), "IBM");
      assert.equal(await form().getByLabel("Entry 1", { exact: true }).inputValue(), "half");
      await form().getByLabel("Name").fill("Eve");
      await form().getByRole("button", { name: "Ask" }).click();
      assert.equal(await whole(page), "buy 1 IBM for Eve, tagged half.");
      await choose("Order");
      assert.equal(await form().getByLabel("Symbol").inputValue(), "");
      await page.goBack();
      assert.equal(await whole(page), "buy 1 IBM for Eve, tagged half.");
    });

    it("asks something else in the same conversation", async () => {
      await page.getByRole("button", { name: "Fill in the form" }).click();
      await form().getByLabel("Symbol").fill("MSFT");
      await form().getByLabel("Name").fill("Bob");
      await form().getByRole("button", { name: "Ask" }).click();
      await answer(page).getByText("buy 1 MSFT for Bob.").waitFor();
      assert.equal(await page.locator(".exchanges > li").count(), 2);
    });

    it("says what the server finds wrong, and keeps the question", async () => {
      await choose("Order");
      await form().getByLabel("Symbol").fill("AAPL");
      await form().getByLabel("Name").fill("Ann");
      await form().getByLabel("More").fill('{"a": "many"}');
      await form().getByRole("button", { name: "Ask" }).click();
      await answer(page).getByText("more a: Input should be a valid integer").waitFor();
      assert.match(await page.locator(".question").innerText(), /Symbol\s+AAPL/);
      assert.ok(troubles.splice(0).every((trouble) => trouble.includes("422")));
    });

    it("asks for a list where the input is one", async () => {
      await choose("Total");
      for (const number of [1, 2]) {
        await form().getByRole("button", { name: "Add entry" }).click();
        await form().getByLabel(`Entry ${number}`, { exact: true }).fill(String(number * 20));
      }
      await form().getByRole("button", { name: "Ask" }).click();
      await page.waitForURL(/\/threads\//);
      assert.equal(await whole(page), "60");
      await page.reload();
      assert.equal(await whole(page), "60");
      assert.equal(await page.locator(".question p").innerText(), "[20,40]");
    });

    it("offers a form beside a message where a question may have more", async () => {
      await choose("Dated");
      await say(page, "A bond");
      await page.waitForURL(/\/threads\//);
      assert.equal(await whole(page), "A bond on any day");
      await page.getByRole("button", { name: "Fill in a form" }).click();
      await form().getByLabel("Message").fill("A share");
      await form().getByLabel("Day").fill("2026-11-30");
      await form().getByRole("button", { name: "Ask" }).click();
      await answer(page).getByText("A share on 2026-11-30").waitFor();
      assert.match(await page.locator(".question").last().innerText(), /A share\s+Day\s+2026-11-30/);
    });

    it("shows progress as a line, sources as a list with snippets, and the rest of a state on request", async () => {
      await choose("Read");
      await say(page, "What is a bond?");
      await page.waitForURL(/\/threads\//);
      assert.equal(await whole(page), "From 2 documents: it depends.");
      const steps = await answer(page).locator(".graph-step").allInnerTexts();
      assert.deepEqual(steps.filter((step) => step.startsWith("Reading")), ["Reading (3 of 3)"]);
      assert.equal(steps.length, 2); // the other is what was read; what was answered is the answer
      const sources = answer(page).getByRole("region", { name: "Sources" }).getByRole("listitem");
      assert.match(await sources.first().innerText(), /^bonds\.md page 3\s+A bond is a loan that pays interest\.$/);
      assert.equal(await sources.nth(1).getByRole("link").getAttribute("href"), "https://example.com/shares");
      assert.match(await sources.nth(1).innerText(), /…$/);
      await shot(page, `sources-${size}`);
      assert.deepEqual(await barriers(page), []);
      assert.equal(await width(), options.viewport.width);
      await answer(page).getByText("Context, Plan").click();
      await answer(page).getByText("Depth", { exact: true }).waitFor();
      await page.reload();
      await sources.first().waitFor();
    });

    it("goes on with an answer that was cut off", async () => {
      await choose("Cut");
      await say(page, "Tell me.");
      await page.waitForURL(/\/threads\//);
      assert.equal(await whole(page), "It goes on");
      await answer(page).getByText("as long as the model may write").waitFor();
      await shot(page, `cut-${size}`);
      await page.reload();
      await answer(page).getByRole("button", { name: "Continue" }).click();
      await answer(page).getByText("and comes to its end.").waitFor();
      await whole(page);
      assert.equal(await page.getByRole("button", { name: "Continue" }).count(), 0);
    });
  });
}
