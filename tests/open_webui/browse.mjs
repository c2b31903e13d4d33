// A person at Open WebUI: signs in, chooses the agent, asks, sees the answer come, and asks again in the same chat.
import assert from "node:assert/strict";
import { launch } from "../e2e/browser.js";

const { OPEN_WEBUI_URL, PICTURE, WEBUI_ADMIN_EMAIL, WEBUI_ADMIN_PASSWORD } = process.env;
const FIRST = '[tool calculator {"expression": "6*7"}] [delay 0.02] [say It is forty-two.]';
const SECOND = "[delay 0.05] [tokens 40]";

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
page.setDefaultTimeout(45_000);

async function ask(question) {
  await page.locator("#chat-input").fill(question);
  await page.keyboard.press("Enter");
}

try {
  await page.goto(`${OPEN_WEBUI_URL}/auth`);
  await page.locator('input[type="email"]').fill(WEBUI_ADMIN_EMAIL);
  await page.locator('input[type="password"]').fill(WEBUI_ADMIN_PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Okay, Let's Go!" }).click();
  await page.getByRole("button", { name: /^Selected model/ }).click();
  await page.getByRole("option", { name: "Select agent model" }).click();
  await ask(FIRST);
  await page.getByText("It is forty-two.", { exact: true }).waitFor();
  await ask(SECOND);
  await page.getByText(/^t1 t2 t3/).waitFor();
  assert.equal(await page.getByText("t40").count(), 0); // it comes word by word
  await page.getByText(/t39 t40$/).waitFor();
  await page.screenshot({ path: PICTURE });
} catch (error) {
  await page.screenshot({ path: PICTURE });
  throw error;
} finally {
  await browser.close();
}
