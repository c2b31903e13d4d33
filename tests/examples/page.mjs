// Opens examples/javascript/index.html in Chromium on Gatehouse's own origin, asks, and prints what the page shows.
import { readFileSync } from "node:fs";
import { launch, ARTEFACTS } from "../e2e/browser.js";

const TYPES = { html: "text/html", js: "text/javascript" };
const { GATEHOUSE_URL, GATEHOUSE_API_KEY, EXAMPLES, QUESTION } = process.env;

// a page that the test puts there counts as one of a public network, whose WebSockets may not lead to this machine
const browser = await launch("--disable-features=LocalNetworkAccessChecks");
try {
  const page = await browser.newPage();
  await page.route(`${GATEHOUSE_URL}/examples/*`, (route) => {
    const name = new URL(route.request().url()).pathname.split("/").at(-1);
    return route.fulfill({ body: readFileSync(`${EXAMPLES}/${name}`), contentType: TYPES[name.split(".").at(-1)] });
  });
  await page.goto(`${GATEHOUSE_URL}/examples/index.html`);
  await page.getByLabel("API key").fill(GATEHOUSE_API_KEY);
  await page.getByLabel("Question").fill(QUESTION);
  await page.getByRole("button", { name: "Ask" }).click();
  await page.waitForFunction(
    () => [...document.querySelectorAll("output")].filter((output) => output.textContent.includes("t100")).length === 3,
    undefined,
    { timeout: 60_000 },
  );
  await page.screenshot({ path: `${ARTEFACTS}/example-page.png` });
  const answers = await page.locator("section").evaluateAll((sections) =>
    Object.fromEntries(sections.map((section) => [section.id, section.querySelector("output").textContent])),
  );
  console.log(JSON.stringify({ answers, headings: await page.locator("h2").allTextContents() }));
} finally {
  await browser.close();
}
