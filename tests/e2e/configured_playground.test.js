// LangServe's playground of what is configurable: a field is changed, and the link to it shared.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ARTEFACTS, launch } from "./browser.js";
import { BASE, comeByLink } from "./visitor.js";

describe("in the playground of what is configurable", () => {
  let browser, page, troubles;

  before(async () => {
    browser = await launch();
    ({ page, troubles } = await comeByLink(browser));
  });
  after(() => browser.close());

  const prompt = () => page.getByRole("textbox").first();

  it("a changed prompt is answered", async () => {
    await page.goto(`${BASE}/configurable/playground/`, { waitUntil: "networkidle" });
    const schema = page.waitForResponse((response) => /\/configurable\/c\/[^/]+\/input_schema$/.test(response.url()));
    await prompt().fill("[say Two words on {topic}.]");
    assert.equal((await schema).status(), 200);
    await page.getByRole("textbox").nth(1).fill("bonds");
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText("Two words on bonds.").first().waitFor();
  });

  it("the link that it shares opens with that prompt", async () => {
    await page.getByRole("button", { name: "Share" }).click();
    const link = page.getByText(/\/configurable\/c\/.+\/playground/).first();
    await link.waitFor();
    const [path] = (await link.textContent()).match(/\/configurable\/c\/[^/]+\/playground/);
    await page.goto(`${BASE}${path}/`, { waitUntil: "networkidle" });
    await page.waitForFunction(() => document.body.innerHTML.includes("Two words on {topic}."));
    assert.match(await prompt().inputValue(), /^\[say Two words on \{topic\}\.\]/);
    await page.screenshot({ path: `${ARTEFACTS}/playground-configured.png` });
  });

  it("nothing went wrong, and nothing was asked of another server", () => assert.deepEqual(troubles, []));
});
