// A person at the web client: signs in, asks, and has a look at what the page did wrong.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { ARTEFACTS, watched } from "./browser.js";

export const BASE = process.env.GATEHOUSE_URL;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Opens the client in a browser of its own, signed in. `troubles` lists every error of the page. */
export async function visit(browser, { base = BASE, key = process.env.GATEHOUSE_KEY, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
  const page = await context.newPage();
  const troubles = watched(page, base);
  await page.goto(`${base}/`);
  await signIn(page, key);
  await page.locator(".choice").first().waitFor();
  return { context, page, troubles };
}

/** Opens a page that the server's link has signed in, which works once. */
export async function comeByLink(browser) {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  const troubles = watched(page, BASE);
  await page.goto(process.env.GATEHOUSE_LINK);
  await page.waitForURL(`${BASE}/`);
  return { page, troubles };
}

export async function signIn(page, key = process.env.GATEHOUSE_KEY) {
  await page.getByLabel("API key or token").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Begins a conversation with a runnable. Returns when its page is open. */
export async function begin(page, runnable, text) {
  await page.getByRole("link", { name: "New conversation" }).first().click();
  await page.locator(".choice", { hasText: new RegExp(`^${runnable}`, "i") }).click();
  await say(page, text);
  await page.waitForURL(/\/threads\//);
}

export async function say(page, text) {
  await page.getByLabel("Your message").fill(text);
  await page.keyboard.press("Enter");
}

export const answer = (page) => page.locator(".answer").last();
export const shot = (page, name) => page.screenshot({ path: `${ARTEFACTS}/client-${name}.png` });

/** Returns the whole text `t1 … tn` of the scripted model. */
export const counted = (tokens) => Array.from({ length: tokens }, (_, place) => `t${place + 1}`).join(" ");

/** Waits until the last answer is over, and returns its text. */
export async function whole(page, state = "complete") {
  await page.locator(`.exchanges > li:last-child .answer.${state}`).waitFor();
  return (await answer(page).locator(".markdown").allTextContents()).join(" ").trim();
}

/** Returns what axe finds serious or critical on the page. */
export async function barriers(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}
