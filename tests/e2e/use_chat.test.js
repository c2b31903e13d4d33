// examples/use_chat in Chromium, built for the AI SDK's versions 6 and 7, on Gatehouse's own origin.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, it } from "node:test";
import { build } from "esbuild";
import { ARTEFACTS, launch, watched } from "./browser.js";

const BASE = process.env.GATEHOUSE_URL;
const EXAMPLE = new URL("../../examples/use_chat/", import.meta.url).pathname;
const PACKAGES = new URL("node_modules", import.meta.url).pathname;
const SLOW = "[delay 0.03] [tokens 100]";
const WORDS = Array.from({ length: 100 }, (_, place) => `t${place + 1}`).join(" ");

/** Returns the page's program with the packages of a version. */
async function built(version) {
  const { outputFiles } = await build({
    entryPoints: [`${EXAMPLE}page.jsx`],
    bundle: true, write: false, format: "esm", jsx: "automatic", nodePaths: [PACKAGES],
    alias: { ai: `ai-${version}`, "@ai-sdk/react": `ai-react-${version}` },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputFiles[0].text;
}

let browser, context;
before(async () => {
  browser = await launch();
  context = await browser.newContext();
  await (await context.newPage()).goto(process.env.GATEHOUSE_LINK); // which works once
});
after(() => browser.close());

for (const version of ["6", "7"]) {
  describe(`useChat of ai ${version}`, () => {
    let page, troubles;

    const said = (role) => page.locator(`article.${role}`);
    const tool = () => page.locator("section").last();
    const ready = () => page.locator('main[data-status="ready"]').waitFor();
    const button = (name) => page.getByRole("button", { name, exact: true });
    const open = () => page.goto(`${BASE}/use_chat/index.html`);
    const ask = async (text) => {
      await page.getByLabel("Your message").fill(text);
      await button("Ask").click();
    };
    const shows = (words) => said("assistant").last().getByText(words).first().waitFor();

    before(async () => {
      const program = await built(version);
      page = await context.newPage();
      page.setDefaultTimeout(15_000);
      await page.route(`${BASE}/use_chat/*`, (route) =>
        route.request().url().includes("page.js")
          ? route.fulfill({ body: program, contentType: "text/javascript" })
          : route.fulfill({ body: readFileSync(`${EXAMPLE}index.html`), contentType: "text/html" }),
      );
      troubles = watched(page, BASE);
    });
    after(() => page.close());
    afterEach(() => assert.deepEqual(troubles.splice(0), []));

    it("shows an answer and its tools, also after a reload", async () => {
      await open();
      await ask('[say Let me see.] [tool calculator {"expression": "2+2"}] [say Four.]');
      await shows("Four.");
      assert.match(await tool().textContent(), /calculator.*2\+2.*4/);
      assert.equal(await tool().getAttribute("data-state"), "output-available");
      await ready();
      await page.screenshot({ path: `${ARTEFACTS}/use-chat-${version}.png` });
      await page.reload();
      await shows("Four.");
      assert.equal(await said("user").count(), 1);
    });

    it("reads on after a reload in the middle", async () => {
      await open();
      await ask(SLOW);
      await shows("t3");
      await page.reload();
      await shows(WORDS);
      assert.deepEqual([await said("user").count(), await said("assistant").count()], [1, 1]);
    });

    it("stops an answer on the server, and asks again", async () => {
      await open();
      await ask(SLOW);
      await shows("t3");
      await button("Stop").click();
      await ready();
      const part = await said("assistant").last().textContent();
      assert.ok(part.length < WORDS.length);
      await button("Again").click();
      await shows(WORDS);
      assert.deepEqual([await said("user").count(), await said("assistant").count()], [1, 1]);
    });

    for (const [word, state] of [["Approve", "output-available"], ["Reject", "output-denied"]])
      it(`asks a person about a tool, who says: ${word}`, async () => {
        await open();
        await ask('[tool transfer_money {"to": "carol", "amount": 1}] [say Done.]');
        await button(word).waitFor();
        if (word === "Approve") await page.screenshot({ path: `${ARTEFACTS}/use-chat-approval-${version}.png` });
        await button(word).click();
        await shows("Done.");
        assert.equal(await tool().getAttribute("data-state"), state);
        assert.equal(await said("assistant").count(), 1);
      });

    it("asks a person about a tool after a reload too", async () => {
      await open();
      await ask('[tool transfer_money {"to": "carol", "amount": 1}] [say Done.]');
      await button("Approve").waitFor();
      await page.reload();
      await button("Approve").click();
      await shows("Done.");
    });

    it("shows why it is refused", async () => {
      await open();
      await ask("[fail]");
      await page.getByRole("alert").getByText("The run failed.").waitFor();
    });
  });
}
