// How many frames a second the page keeps while an answer of 5,000 tokens streams in at about 500 a second.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { ARTEFACTS, launch } from "./browser.js";
import { answer, begin, visit } from "./visitor.js";

const TOKENS = 5000;

// Markdown with all that costs something: paragraphs, emphasis, lists, tables, code
const SECTION = [
  "## Section NUMBER",
  "A **bond** is a loan that is *traded*: whoever holds it gets `coupon` payments until it is repaid. ".repeat(4),
  "- it has a face value\n- it has a coupon\n- it has a date of repayment, and a price that moves with the rates",
  "| year | coupon | price |\n|---|---|---|\n| 1 | 3 | 101.5 |\n| 2 | 3 | 99.2 |\n| 3 | 3 | 100 |",
  "```python\nprice = sum(coupon / (1 + rate) ** year for year in years)\n\nprint(price)\n```",
].join("\n\n");

const words = (text) => text.match(/\s*\S+/g);

function markdown() {
  let text = "";
  for (let number = 1; words(text)?.length === undefined || words(text).length < TOKENS; number += 1) {
    text += SECTION.replace("NUMBER", String(number)) + "\n\n";
  }
  return words(text).slice(0, TOKENS).join("");
}

const kinds = { Markdown: `[say ${markdown()}]`, "one paragraph": `[tokens ${TOKENS}]` };
const results = {};

describe("an answer of 5,000 tokens", () => {
  let browser, page;

  before(async () => {
    browser = await launch();
    ({ page } = await visit(browser));
  });
  after(async () => {
    await browser.close();
    writeFileSync(`${ARTEFACTS}/frames.json`, JSON.stringify(results, null, 1));
  });

  for (const [kind, cues] of Object.entries(kinds)) {
    it(`of ${kind} leaves the page its frames`, async () => {
      await begin(page, "chat", `[delay 0.002] ${cues}`);
      await answer(page).locator(".markdown").first().waitFor();
      const found = await page.evaluate(measured);
      results[kind] = found;
      console.log(kind, JSON.stringify(found));
      // generous: CI's machine has other things to do; the committed measurement is bench/results/web-client.md
      assert.ok(found.median < 34, `a median frame took ${found.median} ms`);
      assert.ok(found.tokens >= TOKENS - 10, `only ${found.tokens} tokens were counted`);
    });
  }
});

// Runs in the page: the time of each frame until the answer is complete, in milliseconds.
async function measured() {
  const frames = [];
  let long = 0;
  new PerformanceObserver((list) => (long += list.getEntries().length)).observe({ type: "longtask" });
  const began = performance.now();
  let before = began;
  while (!document.querySelector(".exchanges > li:last-child .answer.complete")) {
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
  }
  const seconds = (performance.now() - began) / 1000;
  frames.shift();
  const sorted = frames.toSorted((one, other) => one - other);
  const at = (share) => Math.round(sorted[Math.floor(sorted.length * share)] * 10) / 10;
  const pace = document.querySelector(".exchanges > li:last-child .pace").innerText;
  return {
    seconds: Math.round(seconds * 10) / 10,
    frames: frames.length,
    fps: Math.round((frames.length / seconds) * 10) / 10,
    median: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    longest: Math.round(sorted.at(-1)),
    longTasks: long,
    tokens: Number(/([\d,]+) tokens in all/.exec(pace)?.[1].replaceAll(",", "") ?? 0),
  };
}
