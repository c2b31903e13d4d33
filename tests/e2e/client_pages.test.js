// Every page in both colour schemes, and what people need who cannot see all of it, or want it to hold still.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { answer, barriers, BASE, begin, shot, visit, whole } from "./visitor.js";

const TOOL = '[tool compare_investments {"symbols": ["AAPL", "MSFT"], "period": "6m"}]';
const ANSWER = "# Both\\n\\nSee `AAPL` and **MSFT**.\\n\\n| a | b |\\n|---|---|\\n| 1 | 2 |\\n\\n```py\\nx = 1\\n```".replaceAll("\\n", "\n");

describe("the web client's pages", () => {
  let browser, context, page, troubles;

  before(async () => {
    browser = await launch();
    ({ context, page, troubles } = await visit(browser));
    await begin(page, "agent", `${TOOL} [say ${ANSWER}]`);
    await whole(page);
    await page.getByRole("button", { name: "Good answer" }).click();
  });
  after(() => browser.close());

  for (const colorScheme of ["light", "dark"]) {
    it(`have no barrier in the ${colorScheme}`, async () => {
      await page.emulateMedia({ colorScheme });
      const thread = page.url();
      await page.locator(".tool summary").first().click();
      assert.deepEqual(await barriers(page), []);
      await shot(page, `thread-${colorScheme}`);
      await page.locator(".thread.open").getByRole("button", { name: /^Delete/ }).click();
      await page.getByRole("dialog").waitFor();
      assert.deepEqual(await barriers(page), []);
      await page.getByRole("button", { name: "Keep" }).click();
      for (const [path, shown] of [["/", ".choice"], ["/transports", ".lap"], ["/threads/0198c0de-0000-7000-8000-000000000009", ".welcome"]]) {
        await page.goto(BASE + path);
        await page.locator(shown).first().waitFor();
        await page.locator(".thread").first().waitFor();
        assert.deepEqual(await barriers(page), [], path);
      }
      await page.goto(thread);
      await whole(page);
    });

    it(`have no barrier before one is signed in, in the ${colorScheme}`, async () => {
      const other = await (await browser.newContext({ colorScheme })).newPage();
      await other.goto(`${BASE}/signin`);
      assert.deepEqual(await barriers(other), []);
      await other.context().close();
    });
  }

  it("tell a screen reader how an answer gets on in steps, and not by the token", async () => {
    await page.evaluate(listen);
    await begin(page, "chat", "[delay 0.01] [tokens 100]");
    await whole(page);
    const said = await page.evaluate(() => globalThis.said);
    assert.ok(said.includes("The answer is coming."), said.join("|"));
    assert.match(said.at(-1), /^t1 t2 .* t100$/);
    assert.ok(said.length <= 4, said.join("|"));
  });

  it("hold still for those who want less motion, and only for them", async () => {
    const moving = () => page.evaluate(() => document.getAnimations().filter(({ playState }) => playState === "running").length);
    await begin(page, "chat", "[delay 0.05] [tokens 100]");
    await page.getByText("t3 t4").first().waitFor();
    assert.ok((await moving()) > 0, "the cursor blinks");
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.getByText("t10 t11").first().waitFor();
    assert.equal(await moving(), 0);
    await page.emulateMedia({ reducedMotion: null });
    await page.keyboard.press("Escape");
    await whole(page, "stopped");
  });

  it("can be used with the keyboard alone", async () => {
    await page.goto(`${BASE}/`);
    const field = page.getByLabel("Your message");
    await page.locator(".choice").first().waitFor();
    await field.press("a");
    await field.press("Shift+Enter");
    await field.press("b");
    assert.equal(await field.inputValue(), "a\nb");
    await field.press("Enter");
    await page.waitForURL(/\/threads\//);
    await whole(page);
    assert.equal(await page.locator(".question p").innerText(), "a\nb");
    await page.keyboard.press("Shift+Tab");
    assert.notEqual(await page.evaluate(() => document.activeElement?.tagName), "BODY");
  });

  it("list all conversations, more of them as one scrolls", async () => {
    assert.ok((await page.evaluate(beginThreads, 60)) === 201);
    await page.reload();
    await page.locator(".thread").first().waitFor();
    const few = await page.locator(".thread").count();
    assert.ok(few < 60, `${few} were read at once`);
    await page.locator(".threads").hover();
    await page.mouse.wheel(0, 10_000);
    await page.waitForFunction(() => document.querySelectorAll(".thread").length > 60);
    assert.deepEqual(troubles.splice(0).filter((trouble) => !trouble.includes("000000000009")), []);
    await context.close();
  });
});

// Runs in the page: notes what its live region says.
function listen() {
  globalThis.said = [];
  const note = () => {
    const text = document.querySelector("[role=status]")?.textContent;
    if (text && text !== globalThis.said.at(-1)) globalThis.said.push(text);
  };
  new MutationObserver(note).observe(document.body, { childList: true, characterData: true, subtree: true });
}

// Runs in the page. Returns the last answer's status.
async function beginThreads(count) {
  const ask = { method: "POST", headers: { "content-type": "application/json" }, body: '{"runnable": "chat"}' };
  let status;
  for (let place = 0; place < count; place += 1) ({ status } = await fetch("/api/threads", ask));
  return status;
}
