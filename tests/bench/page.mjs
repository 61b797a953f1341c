// What the page costs over a million goroutines in 5 000 groups: the endpoint's answers, the page's
// thread and its memory. Drives the real page over weir-bench-crowd in Chromium:
//
//   node tests/bench/page.mjs build/release/e2e build/release/bin/weir-bench-crowd [GOROUTINES [GROUPS [REPEATS]]]
//
// The first directory is where the end-to-end tests and their packages are (ctest -R e2e.packages).
// README.md tells what the columns are. The exit status says nothing about speed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [e2e, program, goroutines = "1000000", groups = "5000", repeats = "20"] = process.argv.slice(2);
if (!program) {
  console.error("usage: page.mjs E2E-DIRECTORY weir-bench-crowd [GOROUTINES [GROUPS [REPEATS]]]");
  process.exit(2);
}
const { close, eventually, launch, open } = await import(pathToFileURL(resolve(join(e2e, "harness.mjs"))));
const kRepeats = Number(repeats);
const kStreamMs = 60_000;
const MiB = 2 ** 20;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const most = (values) => Math.max(...values);
const ms = (value) => value.toFixed(value < 9.95 ? 1 : 0);

function table(head, rows) {
  console.log(`\n| ${head.join(" | ")} |`);
  console.log(`|${head.map((_, i) => (i === 0 ? " --- " : " ---: ")).join("|")}|`);
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
}

async function startCrowd() {
  const crowd = spawn(program, [goroutines, groups], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(crowd, "exit").then(() => Promise.reject(new Error("weir-bench-crowd has ended")));
  const [url] = await Promise.race([once(createInterface({ input: crowd.stdout }), "line"), ended]);
  ended.catch(() => {});
  return { url, pid: crowd.pid, stop: () => crowd.stdin.end() };
}

// ---- the endpoint ----

async function measureServer(url) {
  const all = await (await fetch(`${url}/debug/goroutine?format=groups`)).json();
  const ids = all.groups.map((g) => g.id);
  const total = all.total;
  const paths = {
    "all groups": () => "goroutine?format=groups",
    "all groups, not packed": () => "goroutine?format=groups",
    "100 of a group": (i) => `goroutine?format=json&limit=100&group=${ids[Math.floor((i * ids.length) / kRepeats)]}`,
    "a goroutine": (i) => `goroutine?format=json&goid=${Math.max(1, Math.floor((i * total) / kRepeats))}`,
    "call graph": () => "graph?kind=calls&format=svg",
    "wait graph": () => "graph?kind=waits&format=svg",
    "findings": () => "leaks?format=json",
    "trend": () => "trend?limit=200",
  };
  const rows = [];
  for (const [what, path] of Object.entries(paths)) {
    const times = [];
    let bytes = 0;
    const headers = { "Accept-Encoding": what.endsWith("not packed") ? "identity" : "gzip" };
    for (let i = 0; i < kRepeats; i++) {
      const start = performance.now();
      const answer = await fetch(`${url}/debug/${path(i)}`, { headers });
      if (!answer.ok) throw new Error(`${path(i)}: ${answer.status}`);
      bytes = (await answer.arrayBuffer()).byteLength;
      times.push(performance.now() - start);
    }
    rows.push([what, ms(median(times)), ms(most(times)), `${(bytes / 1024).toFixed(0)}`]);
  }
  console.log(`\n${total} goroutines in ${ids.length} groups, ${all.frames.length} frames`);
  table(["the endpoint", "median, ms", "max, ms", "KiB of JSON or SVG"], rows);
}

// ---- the page ----

// Runs in the page: from the input to the second frame after whatever it has caused at once.
function install() {
  const probe = { start: 0, painted: 0, longest: 0 };
  globalThis.__probe = probe;
  let armed = 0;
  const arm = (e) => {
    if (probe.start === 0) probe.start = e.timeStamp;
    const mine = ++armed;
    requestAnimationFrame(() => requestAnimationFrame((now) => {
      if (mine === armed) probe.painted = Math.max(now, performance.now()) - probe.start;
    }));
  };
  for (const type of ["keydown", "click", "input", "wheel", "hashchange"]) addEventListener(type, arm, { capture: true, passive: true });
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) probe.longest = Math.max(probe.longest, e.duration);
  }).observe({ type: "longtask" });
}

class Page {
  static async open(browser, url) {
    const page = await open(browser, url, { prepare: (p) => p.addInitScript(install) });
    const self = new Page();
    self.page = page;
    self.cdp = await page.context().newCDPSession(page);
    // In time of the page's own thread: what else the machine does is not counted.
    await self.cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    self.rows = [];
    self.memory = { heap: 0 };
    return self;
  }

  async busy() {
    const { metrics } = await this.cdp.send("Performance.getMetrics");
    return metrics.find((m) => m.name === "TaskDuration").value * 1000;
  }

  /** `act` is one input; `done` is looked at in the page until it gives something true. */
  async measure(what, act, done = () => true, { before, times = kRepeats } = {}) {
    const wall = [], busy = [], longest = [];
    for (let i = 0; i < times; i++) {
      if (before) await before(i);
      await this.settle();
      await this.page.evaluate(() => {
        performance.clearResourceTimings();
        Object.assign(globalThis.__probe, { start: 0, painted: 0, longest: 0 });
      });
      const from = await this.busy();
      await act(i);
      await eventually(async () => (await this.page.evaluate(() => globalThis.__probe.painted > 0)) && (await this.page.evaluate(done, i)), `${what}, ${i}`);
      await this.settle();
      busy.push((await this.busy()) - from);
      const { painted, longest: task } = await this.page.evaluate(() => globalThis.__probe);
      wall.push(painted);
      longest.push(task);
    }
    await this.remember();
    this.rows.push([what, ms(median(busy)), ms(most(busy)), ms(median(wall)), ms(most(wall)), most(longest) > 0 ? ms(most(longest)) : "< 50"]);
    console.error(this.rows.at(-1).join("  "));
  }

  /** What is under way in the page is done, and painted. */
  settle() {
    return this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))));
  }

  async heap(collect) {
    if (collect) await this.cdp.send("HeapProfiler.collectGarbage");
    const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await this.cdp.send("Runtime.getHeapUsage");
    return { js: usedSize / MiB, dom: embedderHeapUsedSize / MiB, buffers: backingStorageSize / MiB };
  }

  async remember() {
    this.memory.heap = Math.max(this.memory.heap, (await this.heap(false)).js);
  }

  go(view) {
    return this.page.evaluate((to) => (location.hash = `#/${to}`), view);
  }

  async middle(selector, nth = 0) {
    // None while it is just being made anew.
    const box = await eventually(() => this.page.locator(selector).nth(nth).boundingBox(), selector);
    return [box.x + Math.min(box.width / 2, 40), box.y + box.height / 2];
  }

  async click(selector, nth = 0) {
    await this.page.mouse.click(...(await this.middle(selector, nth)));
  }
}

async function measureGoroutines(p) {
  const { page } = p;
  const rows = () => document.querySelectorAll(".vt-row").length > 0;
  const answered = () => performance.getEntriesByType("resource").some((e) => /format=groups/.test(e.name));
  await p.measure("look anew (with the answer)", () => page.keyboard.press("r"), answered);
  const word = "handle<3";
  await p.click("input[type=search]");
  await p.measure("type a letter", (i) => page.keyboard.press(word[i % word.length]), rows, {
    before: async (i) => {
      if (i % word.length === 0) await page.locator("input[type=search]").fill("");
    },
  });
  await page.locator("input[type=search]").fill("");
  await p.measure("a regular expression", (i) => page.keyboard.insertText(`handle<(${i % 9}|1\\d+)ul>`), rows, {
    before: () => page.locator("input[type=search]").fill(""),
  });
  await page.locator("input[type=search]").fill("");
  await p.measure("filter by state", (i) => p.click(".facet", i % 4), rows);
  await p.go("goroutines");
  for (const [nth, name] of ["count", "growth", "oldest", "wait", "where", "creator"].entries()) {
    await p.measure(`sort by ${name}`, () => p.click(".vt-head button", nth), rows, {
      before: () => p.click(".vt-head button", nth === 0 ? 1 : 0),
    });
  }
  await p.go("goroutines");
  await page.mouse.move(...(await p.middle(".vt-row", 5)));
  await p.measure("scroll by a page", () => page.mouse.wheel(0, 600), rows);
  await page.locator(".vt-body").focus();
  await p.measure("to the end, to the start", (i) => page.keyboard.press(i % 2 ? "Home" : "End"), rows);
  await p.measure("an arrow key", () => page.keyboard.press("ArrowDown"), rows);
  await page.keyboard.press("Home");
  await p.measure("open a group (with the answer)", (i) => p.click(`.vt-row[data-row="${i % 12}"]`), () => document.querySelectorAll(".members td").length > 0, {
    before: () => page.evaluate(() => document.querySelector(".members")?.replaceChildren()),
  });
}

async function measureFlames(p) {
  const { page } = p;
  const boxes = () => document.querySelectorAll(".flame .box").length > 3;
  await p.go("goroutines");
  await page.locator(".vt-row").first().waitFor();
  await p.measure("flame graph: draw", () => p.click("nav a", 2), boxes, {
    before: async () => {
      await p.go("goroutines");
      await page.locator(".vt-row").first().waitFor();
    },
  });
  await p.measure("flame graph: zoom in", () => p.click(".flame .box", 3), boxes, { before: () => p.go("flame") });
  await p.measure("flame graph: zoom out", () => p.click(".flame .box", 0), boxes, { before: () => p.click(".flame .box", 2) });
  await p.go("flame");
  await p.measure("flame graph: other order", (i) => p.click(".switch button", (i + 1) % 2), boxes);
  await p.go("flame");
  await p.click("input[type=search]");
  await p.measure("flame graph: type a letter", () => page.keyboard.press("a"), () => true, {
    before: () => page.locator("input[type=search]").fill(""),
  });
}

async function measureViews(p) {
  const { page } = p;
  const there = {
    now: () => !!document.querySelector(".tile"),
    goroutines: () => !!document.querySelector(".vt-row"),
    flame: () => document.querySelectorAll(".flame .box").length > 3,
    compare: () => !!document.querySelector(".compare .headline"),
    calls: () => !!document.querySelector(".graph-box svg polygon"),
    waits: () => !!document.querySelector(".graph-box svg polygon"),
    scheduler: () => document.querySelectorAll("main table, main .tile, main dl").length > 0,
  };
  const names = Object.keys(there);
  for (const [i, name] of names.entries()) {
    await p.measure(`go to ${name} (with its answers)`, () => page.keyboard.press(String(i + 1)), there[name], {
      before: async () => {
        await p.go(names[(i + 1) % 2]);
        await page.evaluate(() => document.activeElement?.blur());
        await eventually(() => page.evaluate(there[names[(i + 1) % 2]]), "the view before");
      },
      times: Math.min(kRepeats, 20),
    });
  }
  for (const name of ["calls", "waits"]) {
    await p.go(name);
    await page.locator(".graph-box svg polygon").first().waitFor({ state: "attached" });
    await page.locator(".graph-box").focus();
    await p.measure(`${name}: zoom`, (i) => page.keyboard.press(i % 2 ? "-" : "+"));
    await p.measure(`${name}: move`, (i) => page.keyboard.press(i % 2 ? "ArrowLeft" : "ArrowRight"));
  }
}

/** A minute with the stream: what stays. */
async function measureStream(p) {
  const rows = [];
  for (const view of ["now", "goroutines"]) {
    await p.go(view);
    await eventually(() => p.page.evaluate(() => !!document.querySelector(".tile, .vt-row")), view);
    const before = await p.heap(true);
    const from = await p.busy();
    const end = Date.now() + kStreamMs;
    await eventually(async () => {
      await p.remember();
      return Date.now() >= end;
    }, "the minute");
    const busy = (await p.busy()) - from;
    const after = await p.heap(true);
    rows.push([view, before.js.toFixed(1), after.js.toFixed(1), (after.js - before.js).toFixed(2), ms(busy)]);
  }
  table(["a minute with the stream", "heap before, MiB", "after, MiB", "growth, MiB", "thread busy, ms"], rows);
}

const crowd = await startCrowd();
let browser;
try {
  await measureServer(crowd.url);
  browser = await launch();
  const p = await Page.open(browser, `${crowd.url}/debug/ui/#/goroutines`);
  await p.page.locator(".vt-row").first().waitFor();
  await measureGoroutines(p);
  await measureFlames(p);
  await measureViews(p);
  table(["interaction", "busy: median, ms", "max", "input to frame: median, ms", "max", "longest task, ms"], p.rows);
  await measureStream(p);
  const idle = await p.heap(true);
  table(["memory of the page, MiB", ""], [
    ["JS heap, live", idle.js.toFixed(0)],
    ["JS heap, most that was seen, with garbage", p.memory.heap.toFixed(0)],
    ["DOM (Blink's heap)", idle.dom.toFixed(0)],
    ["buffers", idle.buffers.toFixed(0)],
  ]);
  await close(p.page);
} finally {
  await browser?.close();
  crowd.stop();
}
