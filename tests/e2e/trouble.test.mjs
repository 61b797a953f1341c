// When things go wrong: no token, no answer, too many questions, hostile names, another path.
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { checkAxe, close, eventually, launch, open, shot, textOf, Zoo } from "./harness.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const kLost = [/Failed to load resource/, /ERR_/];

test("a token is asked for, sent as a field, and never stands in an address", async () => {
  const token = "t0ken-of-this-test";
  const zoo = await Zoo.start(["--leak=nil_chan_send", "--rate=5"], { WEIR_DEBUG_TOKEN: token });
  try {
    assert.equal((await fetch(`${zoo.url}/debug/leaks`)).status, 401);
    const page = await open(browser, zoo.page, { allow: kLost });
    const urls = [];
    page.on("request", (r) => urls.push(r.url()));
    const dialog = page.getByRole("dialog", { name: "This endpoint asks for a token" });
    await dialog.waitFor();
    await checkAxe(page);
    await page.getByLabel("Token", { exact: true }).fill("wrong");
    await page.keyboard.press("Enter");
    await eventually(async () => /not the right one/.test(await textOf(page, "dialog.token")), "that it is wrong");
    await page.getByLabel("Token", { exact: true }).fill(token);
    await page.keyboard.press("Enter");
    await page.locator(".tile").first().waitFor();
    await eventually(async () => /Live/.test(await textOf(page, ".status")), "that it is live");
    assert.ok(urls.length > 3);
    assert.ok(urls.every((u) => !u.includes(token)));
    assert.equal(await page.evaluate(() => document.cookie + JSON.stringify(localStorage)).then((s) => s.includes("t0ken")), false);
    await close(page);
  } finally {
    await zoo.stop();
  }
});

test("a process that has gone is said to have gone", async () => {
  const zoo = await Zoo.start(["--leak=nil_chan_send", "--rate=5"]);
  const page = await open(browser, zoo.page, { allow: kLost });
  await page.locator(".card").first().waitFor();
  await zoo.stop();
  await eventually(async () => /Connection lost/.test(await textOf(page, ".banner")), "the banner");
  assert.equal(await page.locator(".card").count() > 0, true, "what was seen stays");
  await shot(page, "lost-light");
  await page.evaluate(() => (location.hash = "#/goroutines"));
  await page.locator(".trouble", { hasText: "does not answer" }).waitFor();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await close(page);
});

test("another process at the same address is told, and shown", async () => {
  const one = await Zoo.start(["--leak=nil_chan_send", "--rate=5"]);
  const page = await open(browser, one.page, { allow: kLost });
  await page.locator(".card", { hasText: "nil_chan_send" }).first().waitFor();
  // By its first look one process is told from another: the page must have seen it.
  await eventually(async () => /Live: looked/.test(await textOf(page, ".status")), "a look of the first one");
  await one.stop();
  const other = await Zoo.start(["--leak=select_no_cases", "--rate=5"], {}, new URL(one.url).host);
  try {
    await page.locator(".banner", { hasText: "started anew" }).waitFor();
    await page.locator(".card", { hasText: "select_no_cases" }).first().waitFor();
    assert.equal(await page.locator(".card", { hasText: "nil_chan_send" }).count(), 0);
    await close(page);
  } finally {
    await other.stop();
  }
});

test("503: waits as it is told, asks again, and says so when it stays", async () => {
  const zoo = await Zoo.start(["--leak=none"]);
  try {
    let refusals = 2;
    const page = await open(browser, `${zoo.page}#/goroutines`, {
      allow: kLost,
      prepare: (p) =>
        p.route(/format=groups/, (route) =>
          refusals-- > 0 ? route.fulfill({ status: 503, headers: { "Retry-After": "0" }, body: "busy: others of the kind are under way\n" }) : route.continue(),
        ),
    });
    await page.locator(".vt-row").first().waitFor();
    refusals = 1e9;
    await page.getByRole("button", { name: "Look anew" }).click();
    await page.locator(".trouble", { hasText: "busy: others of the kind" }).waitFor();
    assert.ok((await page.locator(".vt-row").count()) > 0, "what was seen stays");
    refusals = 0;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".trouble").waitFor({ state: "detached" });
    await close(page);
  } finally {
    await zoo.stop();
  }
});

test("a process that nobody looks at over time is asked again, seldom", async () => {
  const zoo = await Zoo.start(["--leak=nil_chan_send", "--rate=5"]);
  try {
    let isAbsent = true;
    const page = await open(browser, zoo.page, {
      allow: kLost,
      prepare: async (p) => {
        await p.clock.install();
        await p.route(/\/debug\/(events|trend)/, (route) => (isAbsent ? route.fulfill({ status: 404, body: "the observer does not run\n" }) : route.continue()));
      },
    });
    await eventually(async () => /the observer does not run/.test(await textOf(page, ".banner")), "why there is nothing");
    isAbsent = false;
    await eventually(async () => {
      await page.clock.fastForward("00:31");
      return /Live/.test(await textOf(page, ".status"));
    }, "that it is live");
    await page.locator(".card", { hasText: "nil_chan_send" }).first().waitFor();
    await close(page);
  } finally {
    await zoo.stop();
  }
});

test("a page that nobody sees holds no connection", async () => {
  const zoo = await Zoo.start(["--leak=nil_chan_send", "--rate=5"]);
  try {
    const page = await open(browser, zoo.page, { allow: kLost });
    await eventually(async () => /Live/.test(await textOf(page, ".status")), "that it is live");
    const isStream = (r) => r.url().endsWith("/debug/events");
    const turn = (hidden) =>
      page.evaluate((is) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => is });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    const ended = page.waitForEvent("requestfailed", isStream);
    await turn(true);
    await ended;
    const begun = page.waitForEvent("request", isStream);
    await turn(false);
    await begun;
    const rows = () => page.evaluate(() => document.querySelector(".status").textContent);
    await eventually(async () => /Live/.test(await rows()), "that it is live again");
    await close(page);
  } finally {
    await zoo.stop();
  }
});

test("a clipboard that is denied is said to be", async () => {
  const zoo = await Zoo.start(["--leak=nil_chan_send", "--rate=5"]);
  try {
    const page = await open(browser, zoo.page, {
      prepare: (p) =>
        p.addInitScript(() =>
          Object.defineProperty(navigator, "clipboard", { value: { writeText: () => Promise.reject(new DOMException("denied", "NotAllowedError")) } }),
        ),
    });
    const copy = page.locator(".card").first().getByRole("button", { name: "Copy" });
    await copy.click();
    await page.locator(".card", { hasText: "Not allowed to copy" }).first().waitFor();
    await close(page);
  } finally {
    await zoo.stop();
  }
});

test("below another path, behind a proxy", async () => {
  const zoo = await Zoo.start(["--leak=nil_chan_send", "--rate=5"]);
  const to = new URL(zoo.url);
  const proxy = createServer((req, res) => {
    if (!req.url.startsWith("/some/where/")) return res.writeHead(404).end();
    const out = request({ host: to.hostname, port: to.port, path: req.url.slice("/some/where".length), method: req.method, headers: { ...req.headers, host: to.host } }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    });
    out.on("error", () => res.destroy());
    res.on("close", () => out.destroy());
    req.pipe(out);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    const page = await open(browser, `http://127.0.0.1:${proxy.address().port}/some/where/debug/ui`);
    await page.locator(".card").first().waitFor();
    await eventually(async () => /Live/.test(await textOf(page, ".status")), "that it is live");
    await close(page);
  } finally {
    proxy.closeAllConnections?.();
    proxy.close();
    await zoo.stop();
  }
});

test("the policy is strict, files are kept for ever, and the first load is small", async () => {
  const zoo = await Zoo.start(["--leak=none"]);
  try {
    const index = await fetch(zoo.page);
    const policy = index.headers.get("content-security-policy");
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"]) {
      assert.ok(policy.split("; ").includes(part), part);
    }
    assert.equal(index.headers.get("x-content-type-options"), "nosniff");
    assert.equal(index.headers.get("cache-control"), "no-cache");
    const again = await fetch(zoo.page, { headers: { "If-None-Match": index.headers.get("etag") } });
    assert.equal(again.status, 304);
    const html = await index.text();
    assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
    let bytes = 0;
    for (const [, path] of html.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)) {
      const file = await fetch(new URL(path, zoo.page));
      assert.equal(file.status, 200, path);
      assert.match(file.headers.get("cache-control"), /immutable/);
      bytes += await packedSize(new URL(path, zoo.page));
    }
    bytes += await packedSize(new URL(zoo.page));
    assert.ok(bytes > 10_000 && bytes < 150 * 1024, `${bytes} bytes`);
    console.log(`first load: ${bytes} bytes`);
  } finally {
    await zoo.stop();
  }
});

/** As it comes over the wire. */
function packedSize(url) {
  return new Promise((resolve, reject) => {
    request(url, { headers: { "Accept-Encoding": "gzip" } }, (res) => {
      assert.equal(res.headers["content-encoding"], "gzip");
      let n = 0;
      res.on("data", (piece) => (n += piece.length));
      res.on("end", () => resolve(n));
    }).on("error", reject).end();
  });
}

const kEvil = `"><img src=x onerror="hacked=1"><script>hacked=1</script></text></svg>&lt;b&gt;javascript:hacked=1 \${hacked}`;
const evilPlace = { function: `f${kEvil}`, file: `/src/${kEvil}.cc`, line: 7 };

test("hostile names are text wherever they stand", async () => {
  const zoo = await Zoo.start(["--leak=none"]);
  const now = Date.now() * 1e6;
  const groups = {
    schema: "weir.groups/1", taken_at_ns: now, total: 3, process: kEvil, pid: 1, source: kEvil, frames: [evilPlace], stacks: [[0]],
    groups: [{ id: "0x1", site: "0x2", stack: 0, state: "waiting", wait: `w${kEvil}`, created_by: 0, blocked_at: 0, labels: [[`k${kEvil}`, `v${kEvil}`]], count: 3, oldest_ns: 5e9 }],
  };
  const snapshot = {
    schema: "weir.snapshot/1", taken_at_ns: now, total: 1, process: kEvil, pid: 1, source: "weir", strings: ["", `n${kEvil}`],
    frames: [{ ...evilPlace, runtime: false }], locations: [{ address: "0x1", frames: [0] }], mappings: [], stacks: [{ locations: [0], truncated: false }],
    objects: [{ kind: "http_body", address: `0x${kEvil}`, method: kEvil, url: `javascript:hacked=1//${kEvil}`, made_at: 0 }], contexts: [],
    groups: [{ stack: 0, state: "waiting", wait_reason: `w${kEvil}`, object_kind: "http_body", created_by: 0, thread: false, labels: [[`k${kEvil}`, `v${kEvil}`]], count: 1, members: [{ goid: 7, parent_goid: 0, since_ns: 5, name: 1, first_object: 0, object_count: 1 }] }],
  };
  const finding = {
    kind: kEvil, certainty: "certain", count: 3, growth_per_minute: 1, oldest_wait_seconds: 5, created_by: evilPlace, blocked_at: evilPlace,
    object: { kind: kEvil, detail: kEvil, made_at: evilPlace, count: 1, owner: 7, method: kEvil, url: `javascript:hacked=1//${kEvil}`, status: 200, places: [{ what: kEvil, at: evilPlace }] },
    cause: `c${kEvil}`, fix: kEvil, evidence: [kEvil], stack: [evilPlace], goids: [7], site: "0x2", wait: kEvil, peak: 3,
  };
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 100 100" onload="hacked=1">
    <script>hacked=1</script><style>*{display:none}</style><foreignObject><img src="x" onerror="hacked=1"/></foreignObject><image href="http://elsewhere.invalid/x.png"/>
    <use href="#x"/><animate attributeName="href" values="javascript:hacked=1"/><set attributeName="onclick" to="hacked=1"/>
    <g onclick="hacked=1"><a href="javascript:hacked=1" xlink:href="javascript:hacked=1" xlink:title="evil (3)&#10;&lt;img src=x onerror=hacked=1&gt;"><polygon fill="url(http://elsewhere.invalid/)" style="fill:red" points="0,0 90,0 90,90"/>
    <text x="5" y="50" onclick="hacked=1">&lt;img src=x onerror=hacked=1&gt;</text></a></g></svg>`;
  const fulfil = (json) => (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify(json) });
  const prepare = async (p) => {
    await p.route(/format=groups/, fulfil(groups));
    await p.route(/format=json&(goid|group)=/, fulfil(snapshot));
    await p.route(/leaks\?/, fulfil({ taken_at: null, goroutines: 3, notes: [kEvil], findings: [finding] }));
    await p.route(/cmdline/, (route) => route.fulfill({ contentType: "text/plain", body: kEvil }));
    const diff = { schema: "weir.diff/1", old: { process: kEvil, total: 1 }, now: { process: kEvil, total: 3 }, same_process: false, same_process_why: kEvil,
      entries: [{ change: "grown", before: 1, after: 3, wait: `w${kEvil}`, thread: false, stack: [evilPlace], truncated: false, created_by: evilPlace, labels: [], stayed: [] }] };
    await p.route(/diff\?/, (route) => (/format=svg/.test(route.request().url()) ? route.fulfill({ contentType: "image/svg+xml", body: svg }) : fulfil(diff)(route)));
    await p.route(/graph\?/, (route) => route.fulfill({ contentType: "image/svg+xml", body: svg }));
    await p.route(/trend/, fulfil({ taken_at_ns: now, sites: 1, total: [[now - 5e9, 1, 1, 1], [now, 3, 3, 3]], series: [{ site: "0x2", wait: `w${kEvil}`, created_by: evilPlace, count: 3, peak: 3, growth_per_minute: 1, points: [[now - 5e9, 1, 1, 1], [now, 3, 3, 3]] }] }));
  };
  try {
    const q = encodeURIComponent(kEvil);
    const page = await open(browser, zoo.page, { prepare });
    const views = {
      now: ".card .cause",
      goroutines: ".vt-row",
      [`goroutines?group=0x1`]: ".members td",
      [`goroutines?q=${q}&label=${q}&state=${q}&package=${q}&site=${q}&sort=${q}`]: ".chip",
      "goroutine?id=7": ".object",
      flame: ".flame .box >> nth=1",
      [`flame?at=${q}`]: ".flame .box >> nth=1",
      [`compare?base=${q}`]: ".headline:not(:empty)",
      compare: ".diff-row",
      "compare?as=graph": ".graph-box svg polygon",
      calls: ".graph-box svg polygon",
      waits: ".graph-box svg polygon",
      [q]: ".card .cause",
    };
    for (const [view, there] of Object.entries(views)) {
      await page.evaluate((to) => (location.hash = `#/${to}`), view);
      await page.locator(there).first().waitFor({ state: "attached" });
      const found = await page.evaluate(() => ({
        hacked: globalThis.hacked,
        elements: [...document.querySelectorAll("main img, main script, main style, main iframe, main image, main use, main foreignObject, main animate, main set, header img")].map((e) => e.outerHTML),
        handlers: [...document.querySelectorAll("*")].filter((e) => e.getAttributeNames().some((n) => n.startsWith("on"))).length,
        links: [...document.querySelectorAll("a")].map((a) => a.getAttribute("href")).filter((href) => !/^#/.test(href)),
        styled: document.querySelectorAll(".graph-box svg [style], .graph-box svg [fill^='url']").length,
      }));
      assert.deepEqual(found, { hacked: undefined, elements: [], handlers: 0, links: [], styled: 0 }, view);
    }
    await page.evaluate(() => (location.hash = "#/now"));
    await page.locator(".card .cause").waitFor();
    assert.equal(await page.locator(".card .cause").textContent(), `c${kEvil}`);
    assert.equal(await page.locator(".process").textContent(), kEvil.split("/").pop());
    await shot(page, "hostile-light");
    await page.context().close();
  } finally {
    await zoo.stop();
  }
});

// How long it takes is for tests/bench/page.mjs to tell.
test("a million goroutines in 5 000 groups: rows in sight alone exist, and are the right ones", async () => {
  const zoo = await Zoo.start(["--leak=none"]);
  const now = Date.now() * 1e6;
  const frames = Array.from({ length: 6000 }, (_, i) => ({ function: `service::part${i % 97}::Handler${i}::handle(Request const&)`, file: `/src/service/part${i % 97}/handler${i}.cc`, line: i + 1 }));
  const groups = Array.from({ length: 5000 }, (_, i) => ({
    id: `0x${(i + 1).toString(16)}`, site: `0x${(i + 1).toString(16)}`, stack: i, state: "waiting", wait: ["chan receive", "select", "IO wait", "sync.Mutex.Lock"][i % 4],
    created_by: 5000 + (i % 1000), blocked_at: i, labels: [["tenant", `t${i % 50}`]], count: 200, oldest_ns: i * 1e9,
  }));
  // The three outer frames are those of few; below that each group goes its own way.
  const frameOf = (i, d) => (d === 0 ? i : d > 8 ? i % 4 ** (12 - d) : (i * 7 + d * 131) % 6000);
  const stacks = groups.map((_, i) => Array.from({ length: 12 }, (_, d) => frameOf(i, d)));
  const body = JSON.stringify({ schema: "weir.groups/1", taken_at_ns: now, total: 1_000_000, process: "big", pid: 1, source: "weir", frames, stacks, groups });
  try {
    const page = await open(browser, `${zoo.page}#/goroutines`, {
      allow: kLost,
      prepare: (p) => p.route(/format=groups/, (route) => route.fulfill({ contentType: "application/json", body })),
    });
    const total = (wanted) => eventually(async () => (await textOf(page, ".total")) === wanted, wanted);
    const rowOf = (i) => page.locator(`.vt-row[data-row="${i}"]`);
    const shows = (row, text) => eventually(async () => (await rowOf(row).count()) === 1 && (await rowOf(row).textContent()).includes(text), `${text} in row ${row}`);
    const sortBy = (title) => page.locator(".vt-head button", { hasText: title }).click();
    const few = async () => assert.ok((await page.locator(".vt-row").count()) < 100, "rows in sight alone");
    const number = (n) => n.toLocaleString("en-US");

    await total("1,000,000 goroutines in 5,000 groups");
    await few();

    // In a stack or as the creator: what the page finds is what is there.
    const frame = frames.findIndex((f) => f.function.includes("Handler5123::"));
    const there = groups.filter((g) => stacks[g.stack].includes(frame) || g.created_by === frame).length;
    assert.ok(there > 5 && there < 100);
    await page.getByRole("searchbox").fill("handler5123::");
    await total(`${number(200 * there)} of 1,000,000 goroutines in ${there} groups`);
    assert.ok((await page.locator(".vt-row").count()) <= there);
    await page.getByRole("searchbox").fill("");

    await page.locator(".facet", { hasText: "select" }).click();
    await total("250,000 of 1,000,000 goroutines in 1,250 groups");
    const waits = await page.locator(".vt-row .c-wait").allInnerTexts();
    assert.ok(waits.length > 5 && waits.every((w) => w === "select"), waits.join());
    await page.locator(".facet", { hasText: "select" }).click();
    await total("1,000,000 goroutines in 5,000 groups");

    await sortBy("Oldest");
    await shows(0, "Handler4999::");
    await shows(3, "Handler4996::");
    await page.locator(".vt-body").evaluate((e) => (e.scrollTop = e.scrollHeight / 2));
    await shows(2500, "Handler2499::");
    await few();
    assert.equal(await rowOf(0).count(), 0, "what is out of sight is gone");
    await page.locator(".vt-body").focus();
    await page.keyboard.press("End");
    await shows(4999, "Handler0::");
    await few();

    await page.evaluate(() => (location.hash = "#/flame"));
    await page.locator(".flame .box").nth(50).waitFor();
    const boxes = await page.locator(".flame .box").count();
    assert.ok(boxes <= 4000, `${boxes} boxes`);
    await shot(page, "large-flame-light");
    await close(page);
  } finally {
    await zoo.stop();
  }
});
