// What a person sees: signed in by the one-time link, home, documentation, the playgrounds.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ARTEFACTS, launch, watched } from "./browser.js";

const BASE = process.env.GATEHOUSE_URL;

describe("in the browser", () => {
  let browser, page, troubles;

  before(async () => {
    browser = await launch();
    page = await browser.newPage();
    troubles = watched(page, BASE);
  });
  after(() => browser.close());

  it("is asked to sign in", async () => {
    await page.goto(`${BASE}/`);
    assert.match(page.url(), /\/signin$/);
    await page.screenshot({ path: `${ARTEFACTS}/signin.png` });
  });

  it("is signed in by the one-time link", async () => {
    await page.goto(process.env.GATEHOUSE_LINK);
    await page.waitForURL(`${BASE}/`);
    await page.getByText("Who should answer?").waitFor();
  });

  it("cannot use the link a second time", async () => {
    const other = await (await browser.newContext()).newPage();
    await other.goto(process.env.GATEHOUSE_LINK);
    await other.waitForLoadState("networkidle");
    assert.match(await other.textContent("body"), /was used before/);
    await other.context().close();
  });

  for (const name of ["chat", "agent"]) {
    it(`tries /${name} in its playground and sees it stream`, async () => {
      await ask(`/${name}`, "[delay 0.05] [tokens 60]");
      await page.getByText("t1 t2 t3").first().waitFor();
      assert.equal(await page.getByText("t59 t60").count(), 0, "it came in one piece");
      await page.getByText("t59 t60").first().waitFor();
      await page.screenshot({ path: `${ARTEFACTS}/playground-${name}.png` });
    });
  }

  it("tries /summarize in its playground and sees its fields come", async () => {
    const streams = page.waitForResponse((response) => response.url().endsWith("/summarize/stream_log"));
    await ask("/summarize", "Bonds are loans to a company or a state.");
    const stream = await streams;
    assert.equal(stream.status(), 200);
    assert.match(stream.headers()["content-type"], /^text\/event-stream/);
    await page.getByText("key_points").first().waitFor();
    await page.screenshot({ path: `${ARTEFACTS}/playground-summarize.png` });
  });

  async function ask(path, text) {
    await page.goto(`${BASE}${path}/playground/`);
    const box = page.getByRole("textbox").first();
    await box.waitFor();
    await box.fill(text);
    await page.getByRole("button", { name: "Start" }).click();
  }

  it("reads the API documentation without the network", async () => {
    await page.goto(`${BASE}/docs`);
    await page.getByRole("button", { name: "Authorize" }).waitFor();
    await page.getByText("/agent/invoke").first().waitFor();
    await page.screenshot({ path: `${ARTEFACTS}/docs.png` });
  });

  it("saw no error on any of these pages, and nothing from elsewhere", () => {
    assert.deepEqual(troubles, []);
  });

  it("signs out", async () => {
    await page.goto(`${BASE}/`);
    await page.locator(".account summary").click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(/\/signin/);
    await page.goto(`${BASE}/`);
    assert.match(page.url(), /\/signin/);
  });
});
