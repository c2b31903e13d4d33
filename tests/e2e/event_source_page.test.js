// A page of another port whose EventSource starts runs, over a line that is cut.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { counted } from "./visitor.js";

const { LISTED, FOREIGN } = process.env;

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

async function opened(origin) {
  const page = await browser.newPage();
  await page.goto(origin);
  await page.waitForFunction(() => window.ask);
  return page;
}

test("a page of a listed origin has its whole answer", async () => {
  const page = await opened(LISTED);
  await page.evaluate(() => window.ask("[delay 0.01] [tokens 100]"));
  assert.equal(await page.locator("output").textContent(), counted(100));
});

test("it is told that a run failed", async () => {
  const page = await opened(LISTED);
  await assert.rejects(page.evaluate(() => window.ask("[fail]")), /failed/);
});

test("a page of another origin starts nothing", async () => {
  const page = await opened(FOREIGN);
  const refused = page.waitForEvent("requestfailed");
  page.evaluate(() => window.ask("[tokens 3]")).catch(() => {}); // it goes on trying
  await refused;
  assert.equal(await page.locator("output").textContent(), "");
});
