// A page of another port of localhost, signed in at Gatehouse by cookie.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { counted } from "./visitor.js";

const { GATEHOUSE_LINK: LINK, GATEHOUSE_PORT: PORT, PAGE_PORT, FOREIGN_PORT } = process.env;
const pageAt = (port, gatehouse = "localhost") => `http://localhost:${port}/?host=${gatehouse}:${PORT}`;

let browser, context;
before(async () => {
  browser = await launch();
  context = await browser.newContext();
});
after(() => browser.close());

const state = (page, text) => page.locator("#state", { hasText: text }).waitFor();

async function say(page, text) {
  await page.getByLabel("Message").fill(text);
  await page.keyboard.press("Enter");
}

const answer = (page, text) => page.locator("#log p:not(.mine)", { hasText: text }).last().waitFor();

test("asks to sign in first", async () => {
  const page = await context.newPage();
  await page.goto(pageAt(PAGE_PORT));
  await state(page, "Sign in");
  await page.close();
});

test("chats with the cookie of the browser's session, and keeps no key", async () => {
  const signin = await context.newPage();
  await signin.goto(LINK);
  await signin.waitForURL((url) => !url.pathname.startsWith("/signin"));
  const page = await context.newPage();
  await page.goto(pageAt(PAGE_PORT));
  await state(page, "Connected");
  await say(page, "[tokens 30]");
  await answer(page, counted(30));
  await say(page, "[say <b>as it is</b> 👋]");
  await answer(page, "<b>as it is</b> 👋");
  await say(page, "[fail the-secret]");
  await page.locator("#log .error").waitFor();
  assert.doesNotMatch(await page.locator("#log .error").textContent(), /secret/);
  assert.equal(await page.evaluate(() => document.cookie), "");
});

test("is refused from an origin that is not listed, and as another site", async () => {
  for (const address of [pageAt(FOREIGN_PORT), pageAt(PAGE_PORT, "127.0.0.1")]) {
    const page = await context.newPage();
    await page.goto(address);
    await state(page, "Not connected");
    await page.close();
  }
});
