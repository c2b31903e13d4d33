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
    await page.evaluate(spendRequests);
    await say(page, "[say Later.]");
    await page.getByText(/Too many requests\. This is your own limit\. Try again in \d s\.$/).waitFor();
    assert.equal(await page.locator(".notice", { hasText: "Try again" }).count(), 1);
    await shot(page, "rate-limited");
    assert.deepEqual(await barriers(page), []);
    const now = page.getByText(/You can try again now/);
    const done = page.locator(".exchanges > li:last-child .answer.complete");
    for (let tries = 0; tries < 8 && !(await done.count()); tries += 1) { // the side bar waits for its turn as well
      await now.or(done).waitFor();
      if (await now.count()) await page.getByRole("button", { name: "Ask again" }).click();
      await done.or(page.locator(".notice.trouble")).waitFor();
    }
    assert.equal(await whole(page), "Later.");
    assert.equal(await page.locator(".exchanges > li").count(), 2);
  });

  it("says when, too, after the day's tokens are used up", async () => {
    const { page: other } = await visit(browser, { key: process.env.GATEHOUSE_OTHER_KEY });
    await begin(other, "chat", "[tokens 4000]");
    await whole(other);
    await say(other, "[say Too much.]");
    await other.getByText(/The tokens of this day are used up .* Try again in \d+ (s|minutes|hours)\.$/).waitFor();
  });
});

// Runs in the page: asks until nothing is left, and for a whole while to come.
async function spendRequests() {
  for (;;) {
    const { status, headers } = await fetch("/api/me");
    if (status === 429 && Number(headers.get("retry-after")) >= 2) return;
    if (status === 429) await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
