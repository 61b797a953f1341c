// What the page's process takes over a million goroutines, while it is used:
//
//   node tests/bench/page/memory.mjs build/release/bin/weir-bench-crowd [GOROUTINES [GROUPS [ROUNDS]]]
//
// Speaks the debugger's protocol by a pipe, without its Network part: the end-to-end tests' driver
// has that on, and Chromium then keeps up to 100 MB of answers in the page's process.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [program, goroutines = "1000000", groups = "5000", rounds = "6"] = process.argv.slice(2);
if (!program) {
  console.error("usage: memory.mjs weir-bench-crowd [GOROUTINES [GROUPS [ROUNDS]]]");
  process.exit(2);
}
const kDeadline = 120_000; // ms
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const crowd = spawn(program, [goroutines, groups], { stdio: ["pipe", "pipe", "inherit"] });
const [url] = await once(createInterface({ input: crowd.stdout }), "line");
const home = mkdtempSync(join(tmpdir(), "page-memory-"));
const chromium = spawn(
  process.env.CHROMIUM ?? "/usr/bin/chromium",
  ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", `--user-data-dir=${home}`, "--no-first-run", "--disable-background-networking"],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: true },
);

let last = 0;
let pending = "";
const answers = new Map();
chromium.stdio[4].on("data", (bytes) => {
  const messages = (pending + bytes).split("\0");
  pending = messages.pop();
  for (const { id, result, error } of messages.map((m) => JSON.parse(m))) {
    answers.get(id)?.(result ?? Promise.reject(new Error(error.message)));
    answers.delete(id);
  }
});
function send(method, params = {}, sessionId) {
  return new Promise((resolve) => {
    answers.set(++last, resolve);
    chromium.stdio[3].write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
  });
}

const { targetId } = await send("Target.createTarget", { url: `${url}/debug/ui/#/goroutines` });
const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });

async function run(expression) {
  return (await send("Runtime.evaluate", { expression, returnByValue: true }, sessionId)).result?.value;
}

async function until(expression) {
  for (const end = Date.now() + kDeadline; !(await run(expression)); await sleep(20)) {
    if (Date.now() > end) throw new Error(`not within ${kDeadline} ms: ${expression}`);
  }
}

/** The largest renderer of this browser, MiB: with its share of what is shared, and its own. */
function renderer() {
  let most = { pss: 0, own: 0 };
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer")) continue;
      if (Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[2]) !== chromium.pid) continue; // its group
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      const mib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) / 1024;
      if (mib("Pss") > most.pss) most = { pss: mib("Pss"), own: mib("Private_Clean") + mib("Private_Dirty") };
    } catch {
      // It has ended meanwhile.
    }
  }
  return most;
}

const rows = [];
let peak = { pss: 0, own: 0 };
function remember(what) {
  const now = renderer();
  if (now.pss > peak.pss) peak = now;
  rows.push([what, now]);
}

const frame = () => send("Runtime.evaluate", { expression: "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))", awaitPromise: true }, sessionId);
async function repeat(times, expression) {
  for (let i = 0; i < times; i++) {
    await run(expression(i));
    await frame();
  }
}

try {
  await until(`document.querySelectorAll(".vt-row").length > 5`);
  remember("goroutines are shown");
  for (let round = 1; round <= Number(rounds); round++) {
    for (let i = 0; i < 20; i++) {
      await run(`[...document.querySelectorAll("button")].find((b) => b.textContent === "Look anew").click()`);
      await sleep(350); // the answer comes, and is shown
    }
    await repeat(20, (i) => `document.querySelectorAll(".facet")[${i % 7}].click()`);
    await repeat(24, (i) => `document.querySelectorAll(".vt-head button")[${i % 6}].click()`);
    await run(`location.hash = "#/flame"`);
    await until(`document.querySelectorAll(".flame .box").length > 5`);
    await repeat(20, (i) => `document.querySelectorAll(".flame .box")[${i % 2 ? 0 : 3}].click()`);
    remember(`round ${round}: looks, filters, sorting, flame graph`);
    for (const view of ["calls", "waits", "scheduler", "compare", "now", "goroutines"]) {
      await run(`location.hash = "#/${view}"`);
      await sleep(1500);
    }
    remember(`round ${round}: all views`);
  }
  console.log("\n| renderer process, MiB | Pss | its own |\n| --- | ---: | ---: |");
  for (const [what, now] of [...rows, ["most that was seen", peak]]) console.log(`| ${what} | ${now.pss.toFixed(0)} | ${now.own.toFixed(0)} |`);
} finally {
  process.kill(-chromium.pid, "SIGKILL");
  await once(chromium, "exit");
  crowd.stdin.end();
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(0);
