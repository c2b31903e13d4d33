// Signing in and out at an issuer, in the browser: a certified OpenID provider on another port.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { answer, BASE, begin, say, shot, whole } from "./visitor.js";

const ISSUER = process.env.GATEHOUSE_ISSUER;

describe("signing in at an issuer", () => {
  let browser, context, page;

  before(async () => {
    browser = await launch();
    context = await browser.newContext();
    page = await context.newPage();
  });
  after(() => browser.close());

  it("leads to the issuer, and back to the page that was wanted", async () => {
    await page.goto(`${BASE}/transports`);
    await page.getByRole("link", { name: "Sign in with Example & Co" }).click();
    await page.waitForURL(`${ISSUER}/**`);
    await signInThere(page);
    await page.waitForURL(`${BASE}/transports`);
    await page.locator(".account-name", { hasText: "Alice" }).waitFor();
    await shot(page, "issuer");
  });

  it("lets one ask", async () => {
    await begin(page, "chat", "[say Hello from the issuer's alice.]");
    assert.equal(await whole(page), "Hello from the issuer's alice.");
  });

  it("once more in the middle of work keeps the unsent text", async () => {
    const session = (await context.cookies(BASE)).find(({ name }) => name === "gatehouse");
    await context.clearCookies({ name: session.name });
    await say(page, "[say Kept.]");
    await page.getByRole("dialog", { name: "Sign in to go on" }).waitFor();
    await page.getByRole("link", { name: "Other ways to sign in" }).click();
    await page.getByRole("link", { name: "Sign in with Example & Co" }).click();
    await page.waitForURL(/\/threads\//); // the issuer still knows who it is
    assert.equal(await page.getByLabel("Your message").inputValue(), "[say Kept.]");
    await page.getByRole("button", { name: "Send" }).click();
    await answer(page).getByText("Kept.", { exact: true }).waitFor();
  });

  it("is undone there too: signing out ends the issuer's session", async () => {
    await page.locator(".account summary").click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${ISSUER}/session/end**`);
    await page.getByRole("button", { name: /yes/i }).click();
    await page.waitForURL(/\/signin/);
    await page.goto(`${BASE}/`);
    assert.match(page.url(), /\/signin/);
    await page.getByRole("link", { name: "Sign in with Example & Co" }).click();
    await page.locator("[name=login]").waitFor(); // it asks who it is
  });
});

async function signInThere(page) {
  await page.locator("[name=login]").fill("alice");
  await page.locator("[name=password]").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}
