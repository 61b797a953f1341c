// Starts the real weir-leakzoo and a browser. What the tests of the page share.
//
// Nothing here waits for a while: whatever has to become true is polled, up to kDeadline. Each page
// fails its test when something was logged as an error: a Content-Security-Policy that was violated,
// an exception that nobody caught.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const kDeadline = 120_000; // ms; for what takes well under one second on an idle machine
const kShots = process.env.WEIR_SCREENSHOTS ?? "screenshots";
const kAxe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function eventually(check, what) {
  const end = Date.now() + kDeadline;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > end) throw new Error(`not within ${kDeadline} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export class Zoo {
  static async start(args, env = {}, listen = "127.0.0.1:0") {
    const zoo = new Zoo();
    zoo.process = spawn(process.env.WEIR_LEAKZOO ?? "weir-leakzoo", [`--listen=${listen}`, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "ignore"],
    });
    zoo.gone = new Promise((resolve) => zoo.process.once("exit", resolve));
    for await (const line of createInterface({ input: zoo.process.stdout })) {
      const found = /http:\/\/[\d.]+:\d+/.exec(line);
      if (found) {
        zoo.url = found[0];
        zoo.process.stdout.resume();
        return zoo;
      }
    }
    throw new Error("the zoo has said no address");
  }

  get page() {
    return `${this.url}/debug/ui/`;
  }

  /** The answer to who is there already may be that others of the kind are under way. */
  get(path) {
    return eventually(async () => {
      const answer = await fetch(`${this.url}/debug/${path}`);
      return answer.status !== 503 && answer;
    }, `an answer to ${path}`);
  }

  async json(path) {
    return (await this.get(path)).json();
  }

  stop() {
    this.process.kill("SIGKILL");
    return this.gone;
  }
}

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    timeout: kDeadline,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--enable-precise-memory-info",
    ],
  });
}

// The browser logs it, and the page asks again: who goes from view to view is faster than an endpoint
// that allows few looks at once.
const kBusy = /status of 503/;

/** A page of its own. `allow`: what may be logged as an error. */
export async function open(browser, url, { options = {}, allow = [], prepare } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "light", ...options });
  context.setDefaultTimeout(kDeadline);
  const page = await context.newPage();
  page.errors = [];
  const complain = (text) => {
    if (![kBusy, ...allow].some((a) => a.test(text))) page.errors.push(text);
  };
  page.on("console", (m) => m.type() === "error" && complain(m.text()));
  page.on("pageerror", (e) => complain(String(e)));
  if (prepare) await prepare(page);
  await page.goto(url, { waitUntil: "domcontentloaded" });
  return page;
}

export async function close(page) {
  const { errors } = page;
  await page.context().close();
  assert.deepEqual(errors, []);
}

export async function shot(page, name) {
  mkdirSync(kShots, { recursive: true });
  await page.screenshot({ path: join(kShots, `${name}.png`) });
}

/** No serious fault of accessibility. */
export async function checkAxe(page) {
  // By the debugger's protocol: the page's own policy lets no other script in.
  await page.evaluate(kAxe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter((v) => v.impact === "serious" || v.impact === "critical");
  assert.deepEqual(
    serious.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.html} (${n.failureSummary})`).join(" | ")}`),
    [],
  );
}

export async function textOf(page, selector) {
  return (await page.locator(selector).allInnerTexts()).join("\n");
}
