// What happens once: the demonstration's transfer after a word, an effect that nobody knows of, and decisions too late.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { answer, barriers, begin, say, shot, visit, whole } from "./visitor.js";

const OTHERS = process.env.GATEHOUSE_EFFECTS_URL; // a server whose tool fails, and whose approvals expire in seconds
const KEY = process.env.GATEHOUSE_EFFECTS_KEY;
const SEND = '[say I send it.] [tool transfer_money {"to": "carol", "amount": 12.5}] [say Sent.]';
const PARCEL = '[tool send_parcel {"to": "Bob"}] [say That is all.]';

let browser, page, troubles;

const card = () => page.locator(".approval").last();
const button = (name) => card().getByRole("button", { name, exact: true });
const opened = async (options) => {
  ({ page, troubles } = await visit(browser, options));
  page.setDefaultTimeout(12_000);
};

before(async () => {
  browser = await launch();
});
after(() => browser.close());
afterEach(() => assert.deepEqual(troubles.splice(0), []));

describe("the demonstration's agent", () => {
  before(() => opened());

  it("sends money after a person's word, and shows that it has", async () => {
    await begin(page, "Agent", SEND);
    await button("Approve").waitFor();
    assert.match(await card().innerText(), /“Transfer money” waits for your word[^]*carol\s+Amount\s+12\.5/);
    assert.equal(await answer(page).locator(".tool-state", { hasText: "done" }).count(), 0);
    await button("Approve").click();
    assert.match(await whole(page), /Sent\.$/);
    await answer(page).locator(".tool", { hasText: "Transfer money" }).locator("summary").click();
    assert.match(await answer(page).innerText(), /carol/);
    await shot(page, "effect-transferred");
  });

  it("says that it was changed, when what is decided on is not what was seen", async () => {
    await begin(page, "Agent", SEND);
    await page.route("**/decision", async (route) => {
      await route.continue({ postData: { ...route.request().postDataJSON(), digest: "0".repeat(64) } });
    });
    await button("Approve").click();
    await card().getByRole("alert").waitFor();
    await shot(page, "decision-changed");
    assert.match(await card().getByRole("alert").innerText(), /look at it again/);
    assert.equal(await button("Approve").count(), 1);
    await page.unroute("**/decision");
    troubles.splice(0); // the browser's own line about the 409
    await button("Approve").click();
    assert.match(await whole(page), /Sent\.$/);
  });
});

describe("what nobody knows of", () => {
  before(() => opened({ base: OTHERS, key: KEY, viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true }));

  it("is asked in the inbox of whoever began it, and the answer goes on with what they say", async () => {
    await page.goto(`${OTHERS}/`); // on a phone the link to a new conversation is in a drawer
    await page.locator(".choice", { hasText: /^parcel/i }).click();
    await say(page, PARCEL);
    await page.waitForURL(/\/threads\//);
    await card().getByText("Did “Send parcel” happen?").waitFor();
    const thread = page.url();
    await page.goto(`${OTHERS}/approvals`);
    await button("It happened").click();
    await page.getByLabel(/What came of it/).fill("It is on its way.");
    await shot(page, "effect-unknown");
    assert.deepEqual(await barriers(page), []);
    await button("It happened").click();
    await page.getByText("Nothing waits for you.").waitFor();
    await page.goto(thread);
    assert.match(await whole(page), /That is all\.$/);
    await card().getByText(/It happened/).waitFor();
    await shot(page, "effect-happened");
  });
});

describe("what nobody decides in time", () => {
  before(() => opened({ base: OTHERS, key: KEY }));

  it("says so, and offers nothing any more", async () => {
    await begin(page, "Pay", '[tool transfer_money {"to": "Bob", "amount": 1}] [say Paid.]');
    await card().getByText("Nobody decided in time").waitFor({ timeout: 40_000 });
    await shot(page, "approval-expired");
    assert.equal(await button("Approve").count(), 0);
    assert.deepEqual(await barriers(page), []);
  });
});
