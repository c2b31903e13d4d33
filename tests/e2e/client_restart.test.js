// The server is killed in the middle of an answer and another one is started on its port: the page reads on.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.js";
import { answer, BASE, begin, counted, shot, visit, whole } from "./visitor.js";

const { program, cwd, env } = JSON.parse(process.env.GATEHOUSE_SERVE);

describe("the web client when its server is killed", () => {
  let browser, page, next;

  before(async () => {
    browser = await launch();
    ({ page } = await visit(browser));
  });
  after(async () => {
    await browser.close();
    next?.kill("SIGTERM");
  });

  it("says that it is reconnecting, then that another server began again, and has the whole answer", async () => {
    await begin(page, "chat", "[delay 0.03] [tokens 150]");
    await page.getByText("t20 t21").first().waitFor();
    process.kill(Number(process.env.GATEHOUSE_PID), "SIGKILL");
    await page.getByText("Connection lost. Reconnecting…").waitFor();
    await shot(page, "reconnecting");
    next = spawn(program, ["serve"], { cwd, env, stdio: "ignore" });
    await page.getByText(/Another one began again/).waitFor({ timeout: 60_000 });
    assert.equal(await whole(page), counted(150));
  });

  it("is still signed in, and lists the conversation", async () => {
    await page.goto(`${BASE}/`);
    await page.getByRole("link", { name: /tokens 150/ }).click();
    assert.equal(await whole(page), counted(150));
    assert.equal(await answer(page).count(), 1);
  });
});
