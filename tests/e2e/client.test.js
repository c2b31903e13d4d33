// What a person does with the web client, in Chromium, against a real server with the scripted model.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { answer, barriers, BASE, begin, counted, say, shot, signIn, visit, whole } from "./visitor.js";

const LONG = "[delay 0.03] [tokens 120]";

describe("the web client", () => {
  let browser, context, page, troubles;

  before(async () => {
    browser = await launch();
    ({ context, page, troubles } = await visit(browser));
  });
  after(() => browser.close());
  afterEach(() => {
    const found = troubles.splice(0);
    assert.deepEqual(found, []);
  });

  it("shows what may be used, and has no barrier", async () => {
    await shot(page, "welcome");
    assert.deepEqual(await page.locator(".choice strong").allInnerTexts(), ["Chat", "Summarize", "Agent"]);
    assert.deepEqual(await barriers(page), []);
  });

  it("streams an answer token by token into a conversation with an address of its own", async () => {
    await begin(page, "chat", LONG);
    await page.getByText("t1 t2 t3").first().waitFor();
    assert.doesNotMatch(await answer(page).innerText(), /t120/);
    assert.equal(await whole(page), counted(120));
    assert.match(await answer(page).innerText(), /tokens\/s\s+first token after/);
    await page.getByRole("link", { name: /tokens 120/ }).waitFor(); // the list has its title
  });

  it("shows tools as they run, with input, result and a chart", async () => {
    const tool = '[tool get_portfolio_performance {"period": "1y"}]';
    await begin(page, "agent", `[say I look it up.] ${tool} [delay 0.05] [say Your portfolio **grew** this year.]`);
    await page.getByRole("img", { name: /^Line chart/ }).waitFor();
    assert.match(await whole(page), /^I look it up\.\s*Your portfolio grew this year\.$/); // in two passages
    assert.equal(await answer(page).locator("strong").innerText(), "grew");
    await page.getByText("Get portfolio performance").first().click();
    await page.getByText('"period": "1y"').first().waitFor();
    await page.getByRole("button", { name: "Show table" }).click();
    await page.getByRole("cell", { name: /^\d{4}-\d\d-\d\d$/ }).first().waitFor();
    await page.getByRole("button", { name: "Show chart" }).click();
    await page.getByText("Get portfolio performance").first().click();
    await shot(page, "tools");
    assert.deepEqual(await barriers(page), []);
  });

  it("compares investments as lines of one chart, also after a reload", async () => {
    await begin(page, "agent", '[tool compare_investments {"symbols": ["AAPL", "MSFT"], "period": "6m"}] [say Both.]');
    await page.getByRole("img", { name: /AAPL from 100 .* MSFT from 100/ }).waitFor();
    await whole(page);
    await page.reload();
    await page.getByRole("img", { name: /AAPL from 100 .* MSFT from 100/ }).waitFor();
    assert.equal(await whole(page), "Both.");
  });

  it("shows a structured answer by its fields", async () => {
    await begin(page, "summarize", "Bonds are loans to a company or a state.");
    await page.locator(".answer.complete .answer-data dt", { hasText: "Key points" }).waitFor();
  });

  it("shows HTML and images of the model as text and links, and runs nothing", async () => {
    await begin(page, "chat", '[say <img src=x onerror="document.title=1"> <script>document.title=2</script> ok]');
    assert.match(await whole(page), /<img src=x/);
    assert.equal(await page.locator(".answer img, .answer script").count(), 0);
    assert.equal(await page.title(), "Gatehouse");
  });

  it("stops with Esc and keeps what came", async () => {
    await begin(page, "chat", "[delay 0.02] [tokens 2000]");
    await page.getByText("t5 t6").first().waitFor();
    await page.keyboard.press("Escape");
    const text = await whole(page, "stopped");
    assert.ok(text.startsWith("t1 t2") && !text.includes("t2000"), text.slice(-40));
    await page.reload();
    assert.equal(await whole(page, "stopped"), text);
  });

  it("reads on after a reload in the middle, without a lost or repeated token", async () => {
    await begin(page, "chat", "[delay 0.03] [tokens 150]");
    await page.getByText("t10 t11").first().waitFor();
    await page.reload();
    await page.locator(".answer.streaming").waitFor();
    assert.equal(await whole(page), counted(150));
  });

  it("shows a second tab the same stream", async () => {
    await begin(page, "chat", "[delay 0.03] [tokens 150]");
    await page.getByText("t5 t6").first().waitFor();
    const second = await context.newPage();
    await second.goto(page.url());
    assert.equal(await whole(second), counted(150));
    assert.equal(await whole(page), counted(150));
    await second.close();
  });

  it("goes on in the thread with what was said before", async () => {
    await begin(page, "chat", "[say First.]");
    await whole(page);
    await say(page, "[say Second.]");
    await page.locator(".answer").nth(1).getByText("Second.", { exact: true }).waitFor();
    await page.reload();
    await page.locator(".answer.complete .markdown").nth(1).waitFor();
    assert.deepEqual(await page.locator(".answer.complete .markdown").allTextContents(), ["First.", "Second."]);
  });

  it("lets go of the end when the reader scrolls up", async () => {
    const lines = Array.from({ length: 120 }, (_, place) => `line ${place}\n\n`).join("");
    await begin(page, "chat", `[delay 0.02] [say ${lines}]`);
    await page.getByText("line 40", { exact: true }).waitFor();
    const box = page.locator(".scroll");
    await box.hover();
    await page.mouse.wheel(0, -3000);
    await page.getByRole("button", { name: "Go to the end" }).waitFor();
    const top = await box.evaluate((element) => element.scrollTop);
    await whole(page);
    assert.equal(await box.evaluate((element) => element.scrollTop), top);
    await page.getByRole("button", { name: "Go to the end" }).click();
    await page.getByRole("button", { name: "Go to the end" }).waitFor({ state: "detached" });
  });

  it("renames a conversation and deletes it", async () => {
    await begin(page, "chat", "[say To be renamed.]");
    await whole(page);
    await page.locator(".thread.open").getByRole("button", { name: /^Rename/ }).click();
    await page.getByLabel("New title").fill("Savings plan");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Savings plan" }).waitFor();
    await page.locator(".thread.open").getByRole("button", { name: "Delete Savings plan" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Who should answer?").waitFor();
    await page.getByRole("link", { name: "Savings plan" }).waitFor({ state: "detached" });
  });

  it("keeps feedback with a comment", async () => {
    await begin(page, "chat", "[say Judge me.]");
    await page.getByRole("button", { name: "Bad answer" }).click();
    await page.getByLabel("Comment on the answer").fill("Too short.");
    await page.keyboard.press("Enter");
    await page.getByText("“Too short.”").waitFor();
    await page.reload();
    await page.getByText("“Too short.”").waitFor();
    assert.equal(await page.getByRole("button", { name: "Bad answer" }).getAttribute("aria-pressed"), "true");
    await page.getByRole("button", { name: "Bad answer" }).click();
    await page.getByText("“Too short.”").waitFor({ state: "detached" });
  });

  it("says that the run failed, and keeps what came before", async () => {
    await begin(page, "agent", "[tokens 10] [fail after 3 SECRET]");
    assert.equal(await whole(page, "failed"), "t1 t2 t3");
    assert.match(await answer(page).innerText(), /The run failed/);
    assert.doesNotMatch(await page.locator("main").innerText(), /ScriptedFailure/);
  });

  it("asks to sign in when the session is over, and goes on with the unsent text", async () => {
    await begin(page, "chat", "[say Before.]");
    await whole(page);
    await context.clearCookies();
    await say(page, "[say After.]");
    await page.getByRole("dialog", { name: "Sign in to go on" }).waitFor();
    await shot(page, "signed-out");
    await signIn(page, "gh_dev_nonsense");
    await page.getByRole("alert").waitFor();
    await signIn(page);
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await page.getByLabel("Your message").inputValue(), "[say After.]");
    await page.getByRole("button", { name: "Send" }).click();
    await answer(page).getByText("After.", { exact: true }).waitFor();
    troubles.splice(0); // the browser's own words on the 401s
  });

  it("says that another's conversation is not there", async () => {
    await page.goto(`${BASE}/threads/0198c0de-0000-7000-8000-000000000009`);
    await page.getByText("There is nothing here.").waitFor();
    troubles.splice(0); // the 404s
  });

  it("compares the transports", async () => {
    await page.goto(`${BASE}/transports`);
    await page.getByLabel("Question").fill("[delay 0.01] [tokens 40]");
    await page.getByRole("button", { name: "Compare", exact: true }).click();
    await page.locator(".lap.done").nth(4).waitFor();
    assert.equal(await page.locator(".lap.failed").count(), 0);
    await shot(page, "transports");
    assert.deepEqual(await barriers(page), []);
  });

  it("has an account menu that signs out", async () => {
    await page.goto(`${BASE}/`);
    await page.locator(".account summary").click();
    assert.deepEqual(await barriers(page), []);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(/\/signin/);
    await page.goto(`${BASE}/`);
    assert.match(page.url(), /\/signin/);
  });
});

describe("the web client on a phone, in the dark", () => {
  let browser, page, troubles;

  before(async () => {
    browser = await launch();
    const phone = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, colorScheme: "dark", reducedMotion: "reduce" };
    ({ page, troubles } = await visit(browser, phone));
  });
  after(() => browser.close());

  it("fits, and lists conversations on demand", async () => {
    await page.locator(".choice", { hasText: /^Agent/i }).click();
    await say(page, '[tool get_portfolio_performance {"period": "1y"}] [say Up, a bit.]');
    await page.getByRole("img", { name: /^Line chart/ }).waitFor();
    assert.equal(await whole(page), "Up, a bit.");
    const width = () => page.evaluate(() => Math.max(innerWidth, document.documentElement.scrollWidth));
    assert.equal(await width(), 390);
    await shot(page, "phone");
    assert.deepEqual(await barriers(page), []);
    await page.getByRole("button", { name: "Open the list" }).click();
    await page.getByRole("link", { name: "New conversation" }).first().waitFor();
    await page.waitForTimeout(300); // the list slides in
    await shot(page, "phone-list");
    assert.deepEqual(await barriers(page), []);
    await page.getByRole("link", { name: "New conversation" }).first().click();
    await page.getByText("Who should answer?").waitFor();
    assert.deepEqual(troubles, []);
  });
});
