// Drives a headless Chromium for the kit: one order a line on standard input, one answer a line on standard output.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [home, base] = process.argv.slice(2);
const { chromium } = createRequire(`${home}/`)("playwright-core");
const axe = readFileSync(`${home}/node_modules/axe-core/axe.min.js`, "utf8");
const PATIENCE = 60_000;
const SIZES = { phone: { width: 375, height: 720 }, desktop: { width: 1280, height: 800 } };

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const contexts = new Map();
const pages = new Map();

// A person at a browser of their own, with or without a script.
async function contextOf(who, script = true) {
  if (!contexts.has(who)) {
    const context = await browser.newContext({ baseURL: base, javaScriptEnabled: script, reducedMotion: "reduce" });
    context.setDefaultTimeout(PATIENCE);
    contexts.set(who, context);
  }
  return contexts.get(who);
}

async function pageOf(who, script) {
  if (!pages.has(who)) {
    const page = await (await contextOf(who, script)).newPage();
    page.faults = [];
    page.on("console", (message) => message.type() === "error" && page.faults.push(message.text()));
    page.on("pageerror", (error) => page.faults.push(String(error)));
    pages.set(who, page);
  }
  return pages.get(who);
}

const focused = () => {
  const at = document.activeElement;
  return at.getAttribute("href") ?? at.textContent.trim();
};

const orders = {
  async open({ who, script, path, size = "desktop", scheme = "light" }) {
    const page = await pageOf(who, script);
    await page.setViewportSize(SIZES[size]);
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    page.faults.length = 0;
    const answer = await page.goto(path);
    return { status: answer.status(), url: page.url() };
  },
  async login({ who, token }) {
    const page = await pageOf(who);
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForLoadState();
    return { url: page.url() };
  },
  // What axe holds against the page as it is shown.
  async axe({ who }) {
    const page = await pageOf(who);
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { rules: { "target-size": { enabled: true } } }));
    const said = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}: ${node.failureSummary}`);
    const width = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    return { violations: found.violations.flatMap(said), passes: found.passes.length, overflow: Math.max(0, width) };
  },
  async mark({ who }) {
    const page = await pageOf(who);
    page.faults.length = 0;
    await page.evaluate(() => { window.marked = true; });
    return {};
  },
  async text({ who }) {
    const page = await pageOf(who);
    const marked = await page.evaluate(() => window.marked === true);
    return { text: await page.locator("body").innerText(), title: await page.title(), marked, faults: page.faults };
  },
  async wait({ who, text }) {
    await (await pageOf(who)).getByText(text).first().waitFor({ state: "attached" });
    return {};
  },
  async gone({ who, text }) {
    await (await pageOf(who)).getByText(text).first().waitFor({ state: "detached" });
    return {};
  },
  // Where the focus goes with each press of a key.
  async press({ who, key, times = 1 }) {
    const page = await pageOf(who);
    const seen = [];
    for (let n = 0; n < times; n += 1) {
      await page.keyboard.press(key);
      seen.push(await page.evaluate(focused));
    }
    const links = await page.locator("a, button, summary").evaluateAll((all) => all.map((one) => one.getAttribute("href") ?? one.textContent.trim()));
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    return { seen, links, outline };
  },
  // Follows a link to the service that stands on a page of another site.
  async come({ who, path }) {
    const page = await pageOf(who);
    const elsewhere = base.replace("127.0.0.1", "localhost");
    await page.route(`${elsewhere}/**`, (route) => route.fulfill({ contentType: "text/html", body: `<a href="${base}${path}">go</a>` }));
    await page.goto(elsewhere);
    await page.getByText("go").click();
    await page.getByRole("heading", { level: 1, name: "Environments" }).waitFor();
    return { url: page.url() };
  },
  async shot({ who, file }) {
    await (await pageOf(who)).screenshot({ path: file, fullPage: true });
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { order, ...rest } = JSON.parse(line);
  const answer = await orders[order](rest).catch((error) => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
