// A person at the web client: signs in, asks, and has a look at what the page did wrong.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { ARTEFACTS, watched } from "./browser.js";

export const BASE = process.env.GATEHOUSE_URL;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Opens the client in a browser of its own, signed in. `troubles` lists every error of the page. */
export async function visit(browser, { base = BASE, key = process.env.GATEHOUSE_KEY, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
  await context.route("**/api/me", meOrAlice);
  const page = await context.newPage();
  const troubles = watched(page, base);
  await page.goto(`${base}/`);
  await signIn(page, key);
  await page.locator(".choice").first().waitFor();
  return { context, page, troubles };
}

// A server without this route answers 404, which the client bears and the browser notes as an error.
export async function meOrAlice(route) {
  const response = await route.fetch().catch(() => undefined);
  if (!response) return undefined; // the page was closed meanwhile
  if (response.status() !== 404) return route.fulfill({ response });
  const limits = [{ name: "requests", limit: 60, remaining: 52, reset_seconds: 41 }];
  const me = { tenant_id: "acme", user_id: "alice", name: "Alice Martin", plan: "standard", limits };
  return route.fulfill({ json: { ...me, scopes: ["*"], credential: "session", expires_at: null } });
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
  return (await answer(page).locator(".markdown").allInnerTexts()).join(" ").trim();
}

/** Returns what axe finds serious or critical on the page. */
export async function barriers(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}
