// A person at the Django site: the ways to an answer beside each other, two tabs, a broken line, signing out.
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { ARTEFACTS, launch, watched } from "./browser.js";
import { barriers, counted } from "./visitor.js";

const { SITE_URL: BASE, SITE_PASSWORD: PASSWORD } = process.env;
const LANES = ["rest", "socket", "sse", "tabs"];

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Returns a line to the site of which all connections can be cut. `cuts` counts those that were. */
async function cuttable(port) {
  const open = new Set();
  const server = createServer((client) => {
    const site = connect(Number(port), "127.0.0.1");
    open.add(client).add(site);
    client.pipe(site).pipe(client);
    for (const [end, other] of [[client, site], [site, client]]) {
      end.on("error", () => other.destroy());
      end.on("close", () => other.destroy() && open.delete(end));
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const line = { url: `http://127.0.0.1:${server.address().port}`, cuts: 0 };
  line.cut = () => {
    line.cuts += open.size;
    for (const end of open) end.resetAndDestroy();
  };
  line.close = () => {
    line.cut();
    server.close();
  };
  return line;
}

async function visit({ user = "alice", base = BASE, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 860 }, ...options });
  const page = await context.newPage();
  const troubles = watched(page, base);
  await page.goto(`${base}/`);
  await page.getByLabel("User name").fill(user);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await connected(page);
  return { context, page, troubles };
}

const connected = (page) =>
  Promise.all(["socket", "tabs"].map((lane) => page.locator(`#${lane}[data-state=connected]`).waitFor()));
const last = (page, lane) => page.locator(`#${lane} .exchange`).last();
const answerOf = (page, lane) => last(page, lane).locator(".answer").textContent();
const only = async (page, lane) => {
  for (const other of LANES) await page.locator(`#${other} input`).setChecked(other === lane);
};

async function ask(page, text) {
  await page.getByLabel("Your message").fill(text);
  await page.keyboard.press("Enter");
}

/** Waits until the lane's last answer has ended, and returns it. */
async function whole(page, lane) {
  await page.locator(`#${lane} .exchange:last-child[aria-busy=false]`).waitFor();
  return answerOf(page, lane);
}

test("shows one answer in every way, each with its time to the first word", async () => {
  const { context, page, troubles } = await visit();
  await ask(page, "[delay 0.03] [tokens 40]");
  for (const lane of LANES) assert.equal(await whole(page, lane), counted(40), lane);
  const firsts = await Promise.all(LANES.map((lane) => page.locator(`#${lane} output`).textContent()));
  const [rest, ...streams] = firsts.map(Number.parseFloat);
  for (const stream of streams) assert.ok(stream < rest, `the stream's ${stream} s, REST's ${rest} s`);
  await ask(page, "[say 👋 <b>not bold</b> – ça va]");
  for (const lane of LANES) assert.equal(await whole(page, lane), "👋 <b>not bold</b> – ça va", lane);
  await page.screenshot({ path: `${ARTEFACTS}/django-site.png` });
  assert.deepEqual(await barriers(page), []);
  assert.deepEqual(troubles, []);
  await context.close();
});

test("shows what one tab asks in the other", async () => {
  const { context, page } = await visit();
  const other = await context.newPage();
  await other.goto(`${BASE}/`);
  await connected(other);
  await only(page, "tabs");
  await ask(page, "[delay 0.02] [say 👋🏽] [tokens 60]");
  await other.locator("#tabs .exchange").waitFor();
  assert.equal(await last(other, "tabs").locator(".question").textContent(), "[delay 0.02] [say 👋🏽] [tokens 60]");
  const late = await context.newPage();
  await late.goto(`${BASE}/`); // in the middle of the answer
  const said = `👋🏽 ${counted(60)}`;
  for (const tab of [page, other, late]) assert.equal(await whole(tab, "tabs"), said);
  assert.equal(await other.locator("#socket .exchange").count(), 0);
  await context.close();
});

test("comes back after the line broke, and reads on where it was", async () => {
  const { context, page } = await visit();
  await page.evaluate(() => {
    globalThis.sockets = [];
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
      globalThis.sockets.push(this);
      return send.call(this, data);
    };
  });
  for (const lane of ["socket", "tabs"]) {
    await only(page, lane);
    await ask(page, "[delay 0.03] [tokens 60]");
    await page.waitForFunction((id) => document.querySelector(`#${id} .answer`).textContent.includes("t10 "), lane);
    await page.evaluate(() => globalThis.sockets.pop().close());
    await page.locator(`#${lane}[data-state=reconnecting]`).waitFor();
    assert.equal(await whole(page, lane), counted(60), lane);
    assert.equal(await page.locator(`#${lane} .alert`).count(), 0);
  }
  await context.close();
});

test("goes on with its requests after they were cut off", async () => {
  const line = await cuttable(new URL(BASE).port);
  const { context, page } = await visit({ base: line.url });
  for (const lane of ["sse", "rest"]) {
    await only(page, lane);
    await ask(page, "[delay 0.05] [tokens 60]");
    const begun = () => document.querySelector("#sse .answer")?.textContent.includes("t10 ");
    await (lane === "sse" ? page.waitForFunction(begun) : page.waitForTimeout(1000));
    line.cut();
    assert.equal(await whole(page, lane), counted(60), lane);
    assert.equal(await page.locator(`#${lane} .alert`).count(), 0);
  }
  assert.ok(line.cuts >= 2);
  await context.close();
  line.close();
});

test("keeps the newest text in sight until the reader scrolls up", async () => {
  const { context, page } = await visit();
  await only(page, "socket");
  const log = page.locator("#socket .log");
  const below = () => log.evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight);
  await ask(page, "[tokens 900]");
  await whole(page, "socket");
  assert.ok((await below()) < 2);
  await ask(page, "[delay 0.01] [tokens 300]");
  await page.waitForFunction(() => document.querySelector("#socket .exchange:last-child .answer").textContent.includes("t20 "));
  await log.evaluate((list) => list.scrollTo(0, 100));
  await page.getByRole("button", { name: "Newest" }).waitFor();
  await whole(page, "socket");
  assert.ok((await log.evaluate((list) => list.scrollTop)) < 120);
  await page.getByRole("button", { name: "Newest" }).click();
  assert.ok((await below()) < 2);
  await context.close();
});

test("says what went wrong", async () => {
  const { context, page } = await visit();
  await ask(page, "[fail after 2 the-secret-of-the-model]");
  for (const lane of LANES) {
    await whole(page, lane);
    const told = await last(page, lane).locator(".alert").textContent();
    assert.match(told, /failed/, lane);
    assert.doesNotMatch(told, /secret/);
  }
  await context.close();
});

test("tells every open tab that the user has signed out", async () => {
  const { context, page } = await visit();
  const other = await context.newPage();
  await other.goto(`${BASE}/`);
  await connected(other);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Password").waitFor();
  await other.getByText("You are signed out.").waitFor();
  assert.equal(await other.getByRole("button", { name: "Ask" }).isDisabled(), true);
  await context.close();
});

test("looks right in the dark, on a phone and on a tablet", async () => {
  const sizes = { phone: { width: 390, height: 780 }, tablet: { width: 900, height: 1000 } };
  for (const [name, viewport] of Object.entries(sizes)) {
    const { context, page, troubles } = await visit({ viewport, colorScheme: "dark" });
    await ask(page, "[tokens 30]");
    for (const lane of LANES) await whole(page, lane);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wider <= 0, `${name} scrolls sideways by ${wider}`);
    await page.screenshot({ path: `${ARTEFACTS}/django-site-${name}.png` });
    assert.deepEqual(await barriers(page), []);
    assert.deepEqual(troubles, []);
    await context.close();
  }
});
