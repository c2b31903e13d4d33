// Debian's Chromium, with nothing that calls home.
import { chromium } from "playwright-core";

export const ARTEFACTS = process.env.GATEHOUSE_ARTEFACTS ?? "test-artifacts";

export const launch = (...more) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...more,
    ],
  });

// Every console error and failed request of the page, and every request that leaves the server.
export const watched = (page, base) => {
  const troubles = [];
  page.on("console", (message) => {
    if (message.type() === "error") troubles.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => troubles.push(`page: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith("data:") && !url.startsWith("blob:")) troubles.push(`outside: ${url}`);
  });
  return troubles;
};
