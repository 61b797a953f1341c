// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { byUrgency } from "../views/now";
import { pack } from "../state/files";
import { goroutinesOf } from "../views/compare";
import { changeClass } from "./flame_graph";
import { storage } from "../state/storage";
import { fill, h } from "./dom";
import { queryOfTip } from "./svg_graph";
import type { Finding } from "../api/types";

test("texts stay texts", () => {
  const e = h("p", { title: '"><img src=x onerror=1>' }, "<b>bold</b>", ["<script>", 1, null, false]);
  expect(e.children.length).toBe(0);
  expect(e.textContent).toBe("<b>bold</b><script>1");
  expect(e.getAttribute("title")).toBe('"><img src=x onerror=1>');
});

test("a node of a graph tells what to search for", () => {
  expect(queryOfTip("zoo::work<a>() (57)\n57 at /s/w.cc:1")).toBe("zoo::work<a>()");
  expect(queryOfTip("goroutines 34, 35 ..\nzoo::nil_chan_send /s/blocked.cc:16\ncreated by x /s/y.cc:1")).toBe("/s/blocked.cc:16");
  expect(queryOfTip("46")).toBe("");
  expect(queryOfTip("IO wait\nanimal: idle (46)")).toBe("");
});

test("files are packed, unless that makes them larger", async () => {
  const text = new File(["goroutine 1 [running]:\n".repeat(1000)], "dump.txt");
  expect((await pack(text)).size).toBeLessThan(1000);
  const tiny = new File(["x"], "x");
  expect(await pack(tiny)).toBe(tiny);
});

test("what has changed leads to its goroutines, while there are any", () => {
  const entry = { change: "grown" as const, before: 1, after: 2, thread: false, stack: [{ function: "f", file: "/s/a.cc", line: 3 }] };
  expect(goroutinesOf({ ...entry, site: "0x5" })).toBe("#/goroutines?site=0x5");
  expect(goroutinesOf(entry)).toBe("#/goroutines?q=%2Fs%2Fa.cc%3A3");
  expect(goroutinesOf({ ...entry, after: 0 })).toBeNull();
  expect(goroutinesOf({ ...entry, stack: [] })).toBeNull();
});

test("the most certain first, then what grows", () => {
  const f = (certainty: Finding["certainty"], growth: number, count: number): Finding => ({
    kind: "x", certainty, count, growth_per_minute: growth, oldest_wait_seconds: null, created_by: null, blocked_at: null, object: null,
    cause: null, fix: null, evidence: [], stack: [], goids: [], site: `${count}`, wait: null, peak: null,
  });
  const sorted = [f("suspect", 99, 1), f("certain", 0, 2), f("certain", 5, 3), f("likely", 1, 4)].sort(byUrgency);
  expect(sorted.map((x) => x.count)).toEqual([3, 2, 4, 1]);
});

test("grown and shrunk", () => {
  const n = { key: "", hash: 0, place: null, title: "", self: 0, depth: 0, parent: null, children: [] };
  expect(changeClass({ ...n, count: 5, before: 5 })).toBe("same");
  expect(changeClass({ ...n, count: 5, before: 0 })).toBe("grown-4");
  expect(changeClass({ ...n, count: 99, before: 100 })).toBe("shrunk-1");
});

test("who is on something that is made anew stays on it", () => {
  const list = h("div");
  document.body.append(list);
  const draw = (n: number) => fill(list, [1, 2].map((i) => h("button", { "data-focus": `b${i}` }, `${i}: ${n}`)), h("a", { href: "#/x" }, "x"));
  draw(0);
  (list.children[1] as HTMLElement).focus();
  draw(1);
  expect(document.activeElement?.textContent).toBe("2: 1");
  (list.children[2] as HTMLElement).focus();
  draw(2);
  expect(document.activeElement?.getAttribute("href")).toBe("#/x");
  list.setAttribute("tabindex", "-1");
  fill(list, h("button", {}, "another"));
  expect(document.activeElement).toBe(list);
});

test("without a storage there is one for as long as the page is there", () => {
  const kept = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => { throw new DOMException("denied", "SecurityError"); } });
  try {
    const s = storage("localStorage");
    s.setItem("a", "b");
    expect(s.getItem("a")).toBe("b");
    s.removeItem("a");
    expect(s.getItem("a")).toBeNull();
  } finally {
    if (kept) Object.defineProperty(globalThis, "localStorage", kept);
    else Reflect.deleteProperty(globalThis, "localStorage");
  }
});
