// Takes the pictures of the README: `node pictures.js FOLDER` against a running Gatehouse with the scripted model.
import { launch } from "./browser.js";
import { answer, begin, visit, whole } from "./visitor.js";

const folder = process.argv[2];
const QUESTION = "How did Apple do against Microsoft this half-year?";
const SAID = "**Microsoft** did better:\n\n- it stands more than a quarter above where it began\n- **Apple** stands about where it was in spring";
const CUES = `[say I compare the two.] [tool compare_investments {"symbols": ["AAPL", "MSFT"], "period": "6m"}] [delay 0.02] [say ${SAID}]`;

// the scripted model is told what to say in the question: the page shows the one that a person would ask
const inside = (text) => JSON.stringify(text).slice(1, -1);
async function asAPersonAsks(page) {
  await page.route("**/{api,agent}/**", async (route) => {
    const sent = route.request().postData()?.replaceAll(inside(QUESTION), inside(CUES));
    const response = await route.fetch(sent ? { postData: sent } : {});
    const titles = /"title":"\[say I compare[^"\\]*(?:\\.[^"\\]*)*"/g;
    const body = (await response.text()).replaceAll(inside(CUES), inside(QUESTION)).replace(titles, `"title":"${QUESTION}"`);
    await route.fulfill({ response, body });
  });
}

const browser = await launch();
for (const [name, options] of Object.entries({
  client: { viewport: { width: 1200, height: 860 } },
  "client-dark": { viewport: { width: 1200, height: 860 }, colorScheme: "dark" },
  "client-phone": { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true, colorScheme: "dark" },
})) {
  const { context, page } = await visit(browser, options);
  await asAPersonAsks(page);
  if (options.isMobile) {
    await page.locator(".choice", { hasText: /^Agent/i }).click();
    await page.getByLabel("Your message").fill(QUESTION);
    await page.keyboard.press("Enter");
  } else await begin(page, "agent", QUESTION);
  await whole(page);
  await page.getByRole("img", { name: /^Line chart/ }).waitFor();
  await page.getByRole("heading", { name: QUESTION }).waitFor();
  await answer(page).getByText("about where it was in spring").waitFor();
  await page.waitForTimeout(500); // the last of the layout
  await page.screenshot({ path: `${folder}/${name}.png` });
  await context.close();
}
await browser.close();
