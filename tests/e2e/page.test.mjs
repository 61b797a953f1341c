// The page over the real zoo: every view, by pointer and by keys, in light, in dark and on a phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAxe, close, eventually, launch, open, shot, textOf, Zoo } from "./harness.mjs";

let browser;
let zoo;

before(async () => {
  [browser, zoo] = await Promise.all([launch(), Zoo.start(["--leak=all", "--rate=2"])]);
});
after(async () => {
  await browser?.close();
  await zoo?.stop();
});

test("Now: what leaks, the most certain first", async () => {
  const page = await open(browser, zoo.page);
  await page.locator(".card.certain").first().waitFor();
  await eventually(async () => /nil channel/.test(await textOf(page, ".card .cause")), "a nil channel among the findings");
  // Findings are ordered: no certain one behind one that is not.
  const order = await page.locator(".card .badge").allInnerTexts();
  const rank = ["certain", "likely", "suspect"];
  assert.deepEqual(order, [...order].sort((a, b) => rank.indexOf(a) - rank.indexOf(b)));
  await eventually(async () => (await page.locator(".reasons tbody tr").count()) > 4, "wait reasons");
  await eventually(async () => /Live: looked/.test(await textOf(page, ".status")), "that it is live");
  await page.locator(".chart canvas").waitFor();
  assert.match(await textOf(page, ".tiles"), /certain leaks/);

  const toggle = page.locator(".card.certain").first().getByRole("button", { name: "Stack and evidence" });
  await toggle.click();
  assert.equal(await page.locator(".card .stack:visible").count(), 1);
  assert.match(await textOf(page, ".card .stack:visible"), /zoo::\w+\n.*\.cc:\d+/);
  // What is unfolded is in the address, too.
  const other = await open(browser, page.url());
  await other.locator(".card .evidence").first().waitFor();
  await close(other);
  await toggle.click();
  await checkAxe(page);
  await shot(page, "now-light");
  await page.getByRole("button", { name: /^Theme/ }).click();
  await page.getByRole("button", { name: /^Theme: light/ }).click();
  await page.getByRole("button", { name: /^Theme: dark/ }).waitFor();
  await checkAxe(page);
  await shot(page, "now-dark");
  await close(page);
});

test("Goroutines: found, opened by keys, and looked at one by one", async () => {
  const page = await open(browser, `${zoo.page}#/goroutines`);
  await page.locator(".vt-row").first().waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("CHAN SEND (NIL CHAN)");
  await eventually(async () => /in 1 group$/.test(await textOf(page, ".total")), "one group");
  assert.match(page.url(), /q=CHAN\+SEND/);
  await page.locator(".vt-body").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.locator(".members tbody tr").first().waitFor();
  assert.match(page.url(), /group=0x/);
  assert.match(await textOf(page, ".group-details h2"), /goroutines? chan send \(nil chan\)/);
  await page.getByRole("button", { name: "Look anew" }).click();
  await eventually(async () => {
    const inTable = (await textOf(page, ".vt-row .c-count")).trim();
    return inTable !== "" && (await textOf(page, ".group-details h2")).startsWith(`${inTable} goroutine`);
  }, "one count of the group, and not two");
  await page.locator(".members tbody tr").first().waitFor();
  await checkAxe(page);
  await shot(page, "goroutines-light");

  await page.locator(".members a").first().click();
  await page.locator(".goroutine .facts").first().waitFor();
  assert.match(await textOf(page, "h1"), /Goroutine \d+/);
  assert.match(await textOf(page, ".goroutine .stack"), /zoo::nil_chan_send/);
  await checkAxe(page);
  await shot(page, "goroutine-light");
  await page.goBack();
  await eventually(async () => /in 1 group$/.test(await textOf(page, ".total")), "the same group again");

  // The address says all: a colleague sees the same.
  const other = await open(browser, page.url());
  await eventually(async () => /in 1 group$/.test(await textOf(other, ".total")), "what the link says");
  await close(other);

  await page.getByRole("button", { name: "Clear all" }).click();
  const states = page.getByRole("group", { name: "State or wait reason" });
  await states.getByRole("button", { name: /^\d+ more$/ }).click();
  await states.getByRole("button", { name: /^select \(no cases\)/ }).click();
  await eventually(async () => /state=select/.test(page.url()), "the state in the address");
  await eventually(async () => {
    const waits = await page.locator(".vt-row .c-wait").allInnerTexts();
    return waits.length > 0 && waits.every((w) => w === "select (no cases)");
  }, "that state alone");

  await page.getByRole("button", { name: "Clear all" }).click();
  const all = (await textOf(page, ".total")).replace(/ in .*/, "");
  await page.getByRole("combobox", { name: /^Package/ }).fill("zoo");
  await page.keyboard.press("Enter");
  await eventually(async () => /package=zoo/.test(page.url()) && (await textOf(page, ".total")).includes(` of ${all}`), "those of the package alone");
  await page.getByRole("button", { name: /^in zoo/ }).click();
  await eventually(async () => !/package=/.test(page.url()), "all packages again");
  await eventually(() => page.evaluate(() => document.activeElement.getAttribute("aria-label") === "Filters"), "that keys go on from there");
  await page.getByRole("combobox", { name: /^Waits for at least/ }).selectOption({ label: "over 1 d" });
  await eventually(async () => /^0 of .* goroutines in 0 groups$/.test(await textOf(page, ".total")), "nobody that is so old");
  await close(page);
});

test("a goroutine tells who holds what it waits for, and who else waits", async () => {
  const page = await open(browser, `${zoo.page}#/goroutines?q=zoo::mutex_forgotten_unlock&state=sync.Mutex.Lock`);
  await page.locator(".vt-row").first().click();
  await page.locator(".members a").first().click();
  await page.locator(".object").first().waitFor();
  const text = await textOf(page, ".goroutine");
  assert.match(text, /mutex/);
  assert.match(text, /which has ended: nobody will ever let it go/);
  assert.match(text, /locked at/);
  assert.match(text, /Seen doing\s+\d\d:\d\d:\d\d\s+sync\.Mutex\.Lock/);
  await eventually(async () => /Others of its kind/.test(await textOf(page, ".goroutine")), "how many there are of its kind");
  await checkAxe(page);
  await shot(page, "goroutine-lock-light");
  await close(page);
  const gone = await open(browser, `${zoo.page}#/goroutine?id=99999999`, { allow: [/404/] });
  await eventually(async () => /no such goroutine/.test(await textOf(gone, ".trouble")), "that it is not there");
  await close(gone);
});

test("Flame graph: zoomed by pointer and by keys", async () => {
  const page = await open(browser, `${zoo.page}#/flame`);
  await page.locator(".flame .box").nth(5).waitFor();
  await checkAxe(page);
  await shot(page, "flame-light");
  const box = page.locator(".flame .box", { hasText: "chan send" }).first();
  await box.click();
  await eventually(() => /at=/.test(page.url()), "the box in the address");
  await eventually(async () => (await page.locator(".flame .ancestor").count()) > 0, "the way to it");
  await page.locator(".flame .box[tabindex='0']").focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Escape");
  await eventually(() => !/at=/.test(page.url()), "all again");
  await page.getByRole("button", { name: "By creator" }).click();
  await page.locator(".flame .box", { hasText: /^by / }).first().waitFor();
  await close(page);
});

test("Compare: what grew since a snapshot, and since a file of any kind", async () => {
  const page = await open(browser, `${zoo.page}#/compare`, { allow: [/status of 400/] });
  await page.locator(".headline", { hasText: "goroutines:" }).waitFor();
  await page.getByRole("button", { name: "Keep a snapshot now" }).click();
  await eventually(() => /base=\d+/.test(page.url()), "the snapshot in the address");
  // Besides what leaks: who makes it may sleep or run.
  const leaking = page.locator(".diff-row.grown", { hasText: /zoo::|weir::http::/ });
  await eventually(async () => {
    await page.keyboard.press("r");
    return (await leaking.count()) > 0;
  }, "that something has grown");
  // An answer that was still under way draws the rows anew.
  await eventually(async () => {
    const stack = await textOf(page, ".diff-row[open] .stack");
    if (stack === "") await leaking.locator("summary").first().click();
    return /zoo::|weir::http::/.test(stack);
  }, "its stack");
  await checkAxe(page);
  await shot(page, "compare-light");

  for (const [name, path] of [["saved.json", "goroutine?format=json"], ["saved.pb.gz", "goroutine"], ["saved.txt", "goroutine?debug=2"], ["counts.txt", "goroutine?debug=1"]]) {
    const saved = Buffer.from(await (await zoo.get(path)).arrayBuffer());
    const answered = page.waitForResponse((r) => r.request().method() === "POST" && r.url().includes("/debug/diff?") && r.status() === 200);
    await page.locator("input[type=file]").setInputFiles({ name, mimeType: "application/octet-stream", buffer: saved });
    await answered;
    await page.locator("select option", { hasText: `file ${name}` }).first().waitFor({ state: "attached" });
    await eventually(async () => {
      await page.keyboard.press("r");
      return /nil_chan_send/.test(await textOf(page, ".diff-row.grown"));
    }, `what grew since ${name}`);
    // The same places are the same groups, however the dump was written.
    assert.equal(await page.locator(".diff-row.new", { hasText: "nil_chan_send" }).count(), 0, name);
  }
  await page.getByRole("button", { name: "Call graph", exact: true }).click();
  await page.locator(".graph-box svg polygon").nth(3).waitFor({ state: "attached" });
  await eventually(async () => {
    await page.keyboard.press("r");
    return /nil_chan_send/.test(await page.locator(".graph-box").textContent());
  }, "what grew, in the picture");
  await checkAxe(page);
  await shot(page, "compare-graph-light");

  await page.locator("input[type=file]").setInputFiles({ name: "x.txt", mimeType: "text/plain", buffer: Buffer.from("<b>no</b>") });
  await eventually(async () => /The endpoint says: /.test(await textOf(page, ".trouble")), "that the other file is none");
  // A file is of this tab: who gets the link is told so.
  const other = await open(browser, page.url());
  await other.locator(".trouble", { hasText: "open it once more" }).waitFor();
  await close(other);
  await close(page);
});

test("a query means the same everywhere, and no link hangs the page", async () => {
  for (const q of ["^zoo::nil_chan_send$", "(?i)NIL_CHAN_SEND", "\\Qnil_chan_send", "(.*.*)*nil_chan_send", "nil_chan_send"]) {
    const wanted = await eventually(async () => {
      const { groups } = await zoo.json(`goroutine?format=groups&q=${encodeURIComponent(q)}`);
      return groups.some((g) => g.wait === "chan send (nil chan)") && groups.length;
    }, "that it leaks");
    const page = await open(browser, `${zoo.page}#/goroutines?sort=wait&q=${encodeURIComponent(q)}`);
    await eventually(async () => / of /.test(await textOf(page, ".total")), q);
    await eventually(async () => (await textOf(page, ".total")).endsWith(`in ${wanted} ${wanted === 1 ? "group" : "groups"}`), `${q}: ${wanted} groups`);
    await close(page);
  }
  // Everybody, whose groups come and go.
  const page = await open(browser, `${zoo.page}#/goroutines?q=${encodeURIComponent("(.*.*)*|nil_chan_send")}`);
  await eventually(async () => Number(/ in (\d+) groups$/.exec(await textOf(page, ".total"))?.[1]) > 10, "all of them");
  await close(page);
});

test("a dump that is dropped anywhere is compared with", async () => {
  const page = await open(browser, zoo.page);
  await page.locator(".card").first().waitFor();
  const text = await (await zoo.get("goroutine?debug=2")).text();
  // Half of it: what is missing is not passed over.
  const dropped = await page.evaluateHandle((content) => {
    const data = new DataTransfer();
    data.items.add(new File([content], "half.txt"));
    return data;
  }, text.slice(0, text.length * 0.6));
  await page.dispatchEvent("main", "drop", { dataTransfer: dropped });
  await page.locator(".compare .headline", { hasText: "goroutines:" }).waitFor();
  await page.locator(".compare", { hasText: "was cut off" }).waitFor();
  // It is still there after another view.
  await page.keyboard.press("1");
  await page.locator(".card").first().waitFor();
  await page.goBack();
  await page.locator(".compare", { hasText: "was cut off" }).waitFor();
  await close(page);
});

test("graphs: drawn, zoomed, and narrowed by a click", async () => {
  for (const kind of ["waits", "calls"]) {
    const page = await open(browser, `${zoo.page}#/${kind}`);
    await page.locator(".graph-box svg polygon").nth(3).waitFor({ state: "attached" });
    await checkAxe(page);
    await shot(page, `${kind}-light`);
    const box = () => page.locator(".graph-box svg").getAttribute("viewBox");
    const first = await box();
    await page.locator(".graph-box").focus();
    await page.keyboard.press("+");
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await box(), first);
    await page.keyboard.press("0");
    assert.equal(await box(), first);
    // A box can be chosen without a pointer.
    await page.locator(".graph-box [role=button]").first().focus();
    await page.keyboard.press("Enter");
    await eventually(() => /[?&]q=/.test(page.url()), "what was chosen, in the address");
    await page.goBack();
    await page.keyboard.press("/");
    await page.keyboard.type("nil_chan_send");
    await eventually(async () => {
      const text = await page.locator(".graph-box svg").textContent();
      return /nil_chan_send/.test(text) && !/nil_chan_receive/.test(text);
    }, "these goroutines alone");
    await close(page);
  }
});

test("Scheduler: Ps, queues and how long goroutines wait for their turn", async () => {
  const page = await open(browser, `${zoo.page}#/scheduler`);
  await eventually(async () => /P0/.test(await textOf(page, ".sched table")), "the first P");
  await eventually(async () => (await page.locator(".histogram tbody tr").count()) > 0, "a histogram");
  assert.match(await textOf(page, ".tiles"), /Ps busy/);
  await checkAxe(page);
  await shot(page, "scheduler-light");
  await close(page);
});

test("keys go everywhere, and say so", async () => {
  const page = await open(browser, zoo.page);
  await page.locator(".card").first().waitFor();
  for (const [key, view] of [["2", "goroutines"], ["3", "flame"], ["4", "compare"], ["7", "scheduler"], ["1", "now"]]) {
    await page.keyboard.press(key);
    await eventually(() => page.url().includes(`#/${view}`), view);
  }
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await close(page);
});

test("on a phone nothing is wider than the screen", async () => {
  const options = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: "dark" };
  const page = await open(browser, zoo.page, { options });
  await page.locator(".card").first().waitFor();
  for (const view of ["now", "goroutines", "flame", "compare", "scheduler"]) {
    await page.evaluate((to) => (location.hash = `#/${to}`), view);
    await page.locator({ now: ".card", goroutines: ".vt-row", flame: ".flame .box", compare: ".headline:not(:empty)", scheduler: ".tile" }[view]).first().waitFor();
    const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= screen, `${view}: ${wide} px of ${screen}`);
    const outside = await page.evaluate(() =>
      [...document.querySelectorAll("main input, main select, main .bar-line button")].filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML),
    );
    assert.deepEqual(outside, [], view);
    await checkAxe(page);
    await shot(page, `${view}-phone`);
  }
  await close(page);
});
