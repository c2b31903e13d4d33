// Pages as tutorials have them, with their scripts in them: a socket of messages, one of LangChain's events, an EventSource.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, watched } from "./browser.js";

const { SITE_URL: BASE, SITE_PASSWORD: PASSWORD } = process.env;
const ANSWER = "t1 t2 t3 t4 t5";

let browser;
let page;
let troubles;
before(async () => {
  browser = await launch();
  page = await (await browser.newContext()).newPage();
  troubles = watched(page, BASE);
  await page.goto(`${BASE}/`);
  await page.getByLabel("User name").fill("alice");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#message").waitFor();
});
after(() => browser.close());

const shows = (selector, text) =>
  page.waitForFunction(
    ([where, wanted]) => {
      const found = document.querySelector(where);
      return (found?.value ?? found?.textContent) === wanted;
    },
    [selector, text],
  );

for (const [name, selector] of [["openai", "#output"], ["chat", "#log p"]]) {
  test(`the page ${name} shows an answer as it comes`, async () => {
    const opened = page.waitForEvent("websocket");
    await page.goto(`${BASE}/tutorials/${name}/`);
    await opened;
    await page.waitForFunction(() => socket.readyState === WebSocket.OPEN);
    await page.getByLabel("Question").fill("[tokens 5]");
    await page.getByRole("button", { name: "Ask" }).click();
    await shows(selector, ANSWER);
  });
}

test("the page sse shows an answer once, and stops asking", async () => {
  await page.goto(`${BASE}/tutorials/sse/`);
  const again = page.waitForResponse((response) => response.status() === 204);
  await page.getByRole("button", { name: "Start" }).click();
  await shows("#answer", "This is a scripted answer.");
  await again; // the browser's own reconnection, which is told that nothing more comes
  assert.equal(await page.locator("#answer").textContent(), "This is a scripted answer.");
});

test("nothing went wrong on the way", () => assert.deepEqual(troubles, []));
