// The server's own limits, seen through the web client: few requests a minute, and few tokens a day.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { barriers, begin, say, shot, visit, whole } from "./visitor.js";

describe("the web client at its limits", () => {
  let browser, page;

  before(async () => {
    browser = await launch();
    ({ page } = await visit(browser));
  });
  after(() => browser.close());

  it("says when to try again after too many requests, keeps the question, and asks again", async () => {
    await begin(page, "chat", "[say Soon.]");
    assert.equal(await whole(page), "Soon.");
    assert.equal(await page.evaluate(spendRequests), 429);
    await say(page, "[say Later.]");
    await page.getByText(/Too many requests\. This is your own limit\. Try again in \d s$/).waitFor();
    assert.equal(await page.getByText(/Try again/).count(), 1);
    await shot(page, "rate-limited");
    assert.deepEqual(await barriers(page), []);
    await page.getByText(/You can try again now/).waitFor();
    await page.getByRole("button", { name: "Ask again" }).click();
    assert.equal(await whole(page), "Later."); // what it reads afterwards may have to wait, too
    assert.equal(await page.locator(".exchanges > li").count(), 2);
  });

  it("says in hours when the day's tokens are used up", async () => {
    await say(page, "[tokens 4000]");
    await whole(page);
    await say(page, "[say Too much.]");
    await page.getByText(/The tokens of this day are used up .* Try again in \d+ (s|minutes|hours)$/).waitFor();
  });
});

// Runs in the page: what an impatient person with many tabs does. Returns the last answer's status.
async function spendRequests() {
  for (let count = 0; count < 200; count += 1) {
    const { status } = await fetch("/api/me");
    if (status !== 200) return status;
  }
  return 200;
}
