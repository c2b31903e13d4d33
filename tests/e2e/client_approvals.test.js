// What waits for a person: the card in the conversation, the inbox, two tabs at once, a reload, a phone, the keyboard.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { answer, barriers, BASE, say, shot, visit, whole } from "./visitor.js";

const SIZES = {
  desktop: { viewport: { width: 1200, height: 800 } },
  phone: { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true, colorScheme: "dark" },
};
const TRANSFER = '[say I pay Bob.] [tool transfer_money {"to": "Bob", "amount": 100}] [say It is paid.]';

for (const [size, options] of Object.entries(SIZES)) {
  describe(`approvals on a ${size}`, () => {
    let browser, context, page, troubles;

    const card = (of = page) => of.locator(".approval").last();
    const button = (name, of = page) => card(of).getByRole("button", { name, exact: true });
    const asks = async (runnable, text) => {
      await page.goto(`${BASE}/`);
      await page.locator(".choice", { hasText: new RegExp(`^${runnable}`, "i") }).click();
      await say(page, text);
      await page.waitForURL(/\/threads\//);
      await card().getByRole("button").first().waitFor();
    };
    const badge = async () => {
      if (size === "phone") await page.getByRole("button", { name: "Open the list" }).click();
      return page.getByRole("link", { name: /^Approvals/ });
    };
    const result = () => answer(page).locator(".tool", { hasText: "Transfer money" }).locator(".tool-state");
    const width = () => page.evaluate(() => Math.max(innerWidth, document.documentElement.scrollWidth));

    before(async () => {
      browser = await launch();
      ({ context, page, troubles } = await visit(browser, options));
      page.setDefaultTimeout(12_000);
    });
    after(() => browser.close());
    afterEach(() => assert.deepEqual(troubles.splice(0), []));

    it("says what a tool would do, and goes on in the same conversation once it is approved", async () => {
      await asks("Pay", TRANSFER);
      assert.match(await card().innerText(), /“Transfer money” waits for your word/);
      assert.match(await card().innerText(), /Send money from the caller's account\.\s+To\s+Bob\s+Amount\s+100/);
      assert.match(await answer(page).innerText(), /I pay Bob\.[^]*The answer goes on after the decision\./);
      assert.ok(await page.getByRole("button", { name: "Send" }).isDisabled());
      await shot(page, `approval-${size}`);
      assert.deepEqual(await barriers(page), []);
      assert.equal(await width(), options.viewport.width);
      await button("Approve").click();
      await answer(page).getByText("It is paid.").waitFor();
      await whole(page);
      assert.match(await card().innerText(), /Approved by Alice/);
      assert.match(await answer(page).innerText(), /I pay Bob\./);
      await shot(page, `approved-${size}`);
    });

    it("tells who decided also after a reload", async () => {
      await page.reload();
      await card().getByText("Approved by Alice").waitFor();
      assert.match(await whole(page), /It is paid\.$/);
    });

    it("changes the arguments in a form", async () => {
      await asks("Pay", TRANSFER);
      await button("Edit").click();
      await card().getByLabel("Amount").fill("5000");
      await button("Approve with these").click();
      await card().getByText("At most 1,000.").waitFor();
      await card().getByLabel("Amount").fill("50");
      await shot(page, `approval-edit-${size}`);
      assert.deepEqual(await barriers(page), []);
      await button("Approve with these").click();
      await answer(page).getByText("It is paid.").waitFor();
      await whole(page);
      assert.match(await card().innerText(), /Approved with other arguments by Alice[^]*Amount\s+50/);
    });

    it("rejects with a reason, by the keyboard alone", async () => {
      await asks("Pay", TRANSFER);
      await button("Reject").focus();
      await page.keyboard.press("Enter");
      await page.keyboard.type("Not today.");
      await page.keyboard.press("Tab"); // Cancel
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await card().getByText("Rejected by Alice").waitFor();
      await whole(page);
      assert.match(await card().innerText(), /“Not today\.”/);
      assert.equal(await result().innerText(), "failed");
    });

    it("waits over a reload, and is decided then", async () => {
      await asks("Pay", TRANSFER);
      await page.reload();
      await button("Approve").click();
      await answer(page).getByText("It is paid.").waitFor();
      await whole(page);
    });

    it("shows a second tab what the first one decided, and lets nobody decide twice", async () => {
      await asks("Pay", TRANSFER);
      const second = await context.newPage();
      await second.goto(page.url());
      await button("Reject", second).click();
      await second.getByLabel(/Why not/).fill("No.");
      await button("Approve").click();
      await button("Reject", second).click();
      await card(second).getByText("Approved by Alice").waitFor();
      assert.match(await whole(second), /It is paid\.$/);
      assert.match(await whole(page), /It is paid\.$/);
      await second.close();
    });

    it("answers what a graph asks", async () => {
      await asks("Ask", "Is it warm?");
      await card().getByText("Which city do you mean?").first().waitFor();
      await button("Answer").click();
      await card().getByLabel("What is the answer?").fill("Rome");
      await button("Answer").click();
      await answer(page).getByText("Is it warm? In Rome.").waitFor();
    });

    it("ends what waits", async () => {
      await asks("Pay", TRANSFER);
      await answer(page).getByRole("button", { name: "Stop here" }).click();
      await whole(page, "stopped");
      await card().getByText("ended before anybody decided").waitFor();
    });

    it("lists in the inbox what waits, with a count", async () => {
      await asks("Pay", TRANSFER);
      const thread = page.url();
      const inbox = await badge();
      await inbox.getByText("1").waitFor();
      await inbox.click();
      await page.getByRole("heading", { name: "Approvals" }).waitFor();
      await page.getByRole("button", { name: "Approve" }).first().waitFor();
      assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 1);
      await shot(page, `inbox-${size}`);
      assert.deepEqual(await barriers(page), []);
      assert.equal(await width(), options.viewport.width);
      await page.getByRole("button", { name: "Approve" }).click();
      await page.getByText("Nothing waits for you.").waitFor();
      await page.goto(thread);
      assert.match(await whole(page), /It is paid\.$/);
    });

    it("says that somebody else has to decide", async () => {
      await page.goto(`${BASE}/`);
      await page.locator(".choice", { hasText: /^Checked/i }).click();
      await say(page, TRANSFER);
      await card().getByText("Somebody else has to decide").waitFor();
      assert.equal(await button("Approve").count(), 0);
    });
  });
}
