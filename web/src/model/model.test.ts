import { describe, expect, test } from "vitest";
import type { GroupsJson, Point, SnapshotJson } from "../api/types";
import { changesOf, decodeDiff, type DiffEntry, type DiffJson, largest } from "./diff";
import { findPath, flameOf, folded, layout, pathId, weight } from "./flame";
import { bytes, compact, duration, perMinute, shortened, shortPlace, signed } from "./format";
import { addSight, noObject, relationsOf, type Goroutine, type Sight } from "./goroutine";
import { choose, decodeGroups, filterOf, isText, type Group, groupKey, groupText, isInPackage, packagesOf, serverFilter } from "./groups";
import { append, kMostRows, largestWaits, resample, type Row, rowOf, rowsOfTrend } from "./series";

function group(over: Partial<Group> & { names?: string[] } = {}): Group {
  const stack = (over.names ?? ["leaf", "root"]).map((f, i) => ({ function: f, file: "/src/a.cc", line: i + 1 }));
  const g = {
    id: "0x1", site: "0x2", stack, state: "waiting", wait: "chan send", createdBy: null, blockedAt: stack[0] ?? null,
    thread: false, leaked: false, labels: [] as [string, string][], count: 1, oldestNs: -1, ...over,
  };
  return { ...g, haystack: [...stack.map((p) => `${p.function}\n${p.file}:${p.line}`), g.state === "waiting" ? g.wait : "", ...g.labels.map(([k, v]) => `${k}=${v}`)].join("\n").toLowerCase() };
}

describe("format", () => {
  test("durations", () => {
    expect([0, 1500, 2.5e6, 3e9, 59.99e9, 60e9, 200e9, 7500e9, 90_000e9, -1].map(duration)).toEqual([
      "0 ns", "1.5 µs", "2.5 ms", "3 s", "59 s", "1 min", "3 min 20 s", "2 h 5 min", "1 d 1 h", "",
    ]);
  });
  test("numbers", () => {
    expect([950, 1200, 34_000, 1.5e6].map(compact)).toEqual(["950", "1.2k", "34k", "1.5M"]);
    expect([null, 0.01, 3.26, -120].map(perMinute)).toEqual(["", "steady", "+3.3/min", "−120/min"]);
    expect([5, -5, 0].map(signed)).toEqual(["+5", "−5", "0"]);
    expect([5, 2048, 3.5 * 1024 * 1024].map(bytes)).toEqual(["5 B", "2 KiB", "3.5 MiB"]);
  });
  test("places", () => {
    expect(shortPlace({ function: "f", file: "/a/b/c/d.cc", line: 7 })).toBe("c/d.cc:7");
    expect(shortPlace({ function: "f" })).toBe("");
  });
});

test("names in few characters", () => {
  const name = "weir::http::Server::serve(std::string const&)";
  expect([99, 30, 20, 13, 3].map((n) => shortened(name, n))).toEqual([name, "weir::http::Server::serve", "http::Server::serve", "Server::serve", "serve"]);
  expect(shortened("net/http.(*conn).serve", 18)).toBe("http.(*conn).serve");
  expect(shortened("zoo::Pool<a::b>::run()", 5)).toBe("Pool<a::b>::run");
  expect(shortened("(anonymous namespace)::f(int)", 10)).toBe("(anonymous namespace)::f");
  expect(shortened("zoo::start::lambda::lambda", 5)).toBe("start::lambda::lambda");
  expect(shortened("main", 1)).toBe("main");
});

describe("groups", () => {
  const json: GroupsJson = {
    schema: "weir.groups/1", taken_at_ns: 1, total: 3, process: "p", pid: 1, source: "weir",
    frames: [{ function: "leaf<T>()", file: "/s/a.cc", line: 3 }, { function: "main" }],
    stacks: [[0, 1, 99]],
    groups: [{ id: "0xa", site: "0xb", stack: 0, state: "waiting", wait: "chan send", created_by: 1, blocked_at: 0, labels: [["tenant", "<b>"]], count: 3, oldest_ns: 5e9 }],
  };
  test("are decoded, and indexes that point nowhere are not followed", () => {
    const [g] = decodeGroups(json).groups;
    expect(g?.stack.map((p) => p.function)).toEqual(["leaf<T>()", "main", "???"]);
    expect(g?.wait).toBe("chan send");
    expect(g?.createdBy?.function).toBe("main");
    expect(() => decodeGroups({ ...json, schema: "x" })).toThrow();
  });
  test("as text they are a dump", () => {
    expect(groupText(decodeGroups(json).groups[0] as Group)).toBe(
      "3 goroutines [chan send]:\nleaf<T>()\n\t/s/a.cc:3\nmain\n\t?\n???\n\t?\ncreated by main\n\t?\nlabels: tenant=<b>\n",
    );
  });
  test("what may be an expression is for the endpoint", () => {
    expect(["leaf", "a,b <c> 'd' é #~&"].map(isText)).toEqual([true, true]);
    expect(["(.*.*)*", "a.cc:3", "f()", "a|b", "x\\"].map(isText)).toEqual([false, false, false, false, false]);
  });
  test("all that is given has to hold", () => {
    const all = [group({ labels: [["a", "1"]], oldestNs: 70e9 }), group({ wait: "running", state: "running" }), group({ site: "0x9" })];
    const n = (query: string) => choose(all, filterOf(new URLSearchParams(query))).length;
    expect(n("")).toBe(3);
    expect(n("state=waiting")).toBe(2);
    expect(n("state=Chan Send,running")).toBe(3);
    expect(n("label=a")).toBe(1);
    expect(n("label=a=2")).toBe(0);
    expect(n("label=a&label=b")).toBe(0);
    expect(n("site=0x9")).toBe(1);
    expect(n("package=leaf")).toBe(3);
    expect(n("package=lea")).toBe(0);
    expect(n("package=other&package=leaf&q=A.CC:1")).toBe(3);
    expect(n("q=LEAF")).toBe(3);
    expect(n("q=running")).toBe(0); // a state is no wait reason, as at the endpoint
    expect(n("age=60")).toBe(1);
    for (const age of ["nonsense", "-60", "0x3c", "1e9", "Infinity"]) expect(n(`age=${age}`)).toBe(3);
    expect(n("q=leaf&state=running")).toBe(1);
    expect(n("q=elsewhere")).toBe(0);
  });
  test("the endpoint is asked for the same", () => {
    expect(serverFilter(filterOf(new URLSearchParams("q=x&site=0x2&state=chan send&label=a&label=b=c&package=zoo&age=60")))).toEqual({
      q: "x", state: "chan send", label: ["a", "b=c"], package: ["zoo"], site: "0x2", age: "60",
    });
    expect(serverFilter(filterOf(new URLSearchParams("age=-3")))).toMatchObject({ age: "" });
  });
  test("packages of Go, namespaces of C++", () => {
    expect(packagesOf("net/http.(*conn).serve")).toEqual(["net/http"]);
    expect(packagesOf("github.com/x/y.v2/z.Map[go.shape.int].Do.func1")).toEqual(["github.com/x/y.v2/z"]);
    expect(packagesOf("main.main")).toEqual(["main"]);
    expect(packagesOf("weir::http::Server::serve(std::string const&)")).toEqual(["weir", "weir::http::Server"]);
    expect(packagesOf("zoo::pool<a::b>::run()")).toEqual(["zoo"]);
    expect(packagesOf("main")).toEqual([]);
    expect(packagesOf("(anonymous namespace)::f()")).toEqual([]);
    expect(packagesOf("0x7f12")).toEqual([]);
    expect(packagesOf("")).toEqual([]);
    expect(["zoo::f", "zoo.f", "zoo/x.f", "zoo"].map((f) => isInPackage(f, "zoo"))).toEqual([true, true, true, true]);
    expect(["zoom::f", "my::zoo::f", ""].map((f) => isInPackage(f, "zoo"))).toEqual([false, false, false]);
  });
  test("are found again in another look", () => {
    expect(groupKey(group({ id: "0x7", count: 9 }))).toBe(groupKey(group()));
    for (const other of [{ wait: "sleep" }, { thread: true }, { createdBy: { function: "x" } }, { labels: [["a", "1"]] as [string, string][] }, { names: ["leaf"] }]) {
      expect(groupKey(group(other))).not.toBe(groupKey(group()));
    }
  });
});

const snapshot: SnapshotJson = {
  schema: "weir.snapshot/1", taken_at_ns: 9, total: 4, process: "p", pid: 1, source: "weir", strings: ["", "<i>name"],
  frames: [
    { function: "gopark", runtime: true }, { function: "work()", file: "/s/a.cc", line: 3, runtime: false }, { function: "goexit", runtime: true },
    { function: "main()", file: "/s/m.cc", line: 1, runtime: false },
  ],
  locations: [{ address: "0x10", frames: [0] }, { address: "0x20", frames: [1] }, { address: "0x30", frames: [2] }, { address: "0x40", frames: [3] }, { address: "0x50", frames: [] }],
  stacks: [{ locations: [0, 1, 2], truncated: false }, { locations: [4], truncated: false }],
  objects: [{ kind: "mutex", address: "0xa", owner_goid: 8, locked_at: 1 }, { kind: "mutex", address: "0xa", owner_goid: 8 }],
  groups: [
    { stack: 0, state: "waiting", wait_reason: "sync.Mutex.Lock", object_kind: "mutex", created_by: 3, thread: false, labels: [], count: 2,
      members: [{ goid: 5, parent_goid: 8, since_ns: 4, name: 1, first_object: 0, object_count: 1 }, { goid: 6, parent_goid: 8, since_ns: 2, first_object: 1, object_count: 1 }] },
    { stack: 1, state: "running", wait_reason: "", object_kind: "", created_by: null, thread: false, labels: [], count: 2,
      members: [{ goid: 8, parent_goid: 77, since_ns: 1 }, { goid: 9, parent_goid: 0, since_ns: 1 }] },
  ],
};

describe("snapshots", () => {
  test("show what dumps show", () => {
    expect(relationsOf(snapshot, 5)?.self.stack.map((p) => p.function)).toEqual(["work()"]);
    expect(relationsOf(snapshot, 8)?.self.stack.map((p) => p.function)).toEqual(["0x50"]);
    expect(relationsOf(snapshot, 5)?.self.createdBy?.function).toBe("main()");
  });
  test("tell what a goroutine was seen doing, once for each change, and no more than a few", () => {
    const self = relationsOf(snapshot, 5)?.self as Goroutine;
    const history: Sight[] = [];
    addSight(history, { ...self, sinceNs: 3e9 }, 10e9);
    addSight(history, { ...self, sinceNs: 5e9 }, 12e9);
    addSight(history, { ...self, wait: "sleep", sinceNs: 1e9 }, 14e9);
    addSight(history, { ...self, sinceNs: -1 }, 16e9);
    expect(history.map((s) => [s.at, s.wait])).toEqual([[7000, "sync.Mutex.Lock"], [13_000, "sleep"], [16_000, "sync.Mutex.Lock"]]);
    for (let i = 0; i < 1000; i++) addSight(history, { ...self, wait: String(i) }, 20e9 + i);
    expect(history.length).toBeLessThan(300);
  });
  test("say why there is nothing that is waited for", () => {
    const self = relationsOf(snapshot, 5)?.self as Goroutine;
    expect(noObject({ ...self, wait: "chan send (nil chan)" })).toMatch(/never becomes ready/);
    expect(noObject({ ...self, wait: "select (no cases)" })).toMatch(/never ends/);
    expect(noObject({ ...self, wait: "running", state: "running" })).toMatch(/does not wait/);
  });
  test("tell who has to do with a goroutine", () => {
    const r = relationsOf(snapshot, 5);
    expect(r?.self.name).toBe("<i>name");
    expect(r?.owners.map((g) => g.goid)).toEqual([8]);
    expect(r?.companions.map((g) => g.goid)).toEqual([6]);
    expect(r?.parents.map((g) => g.goid)).toEqual([8]);
    expect(r?.goneParent).toBe(77);
    expect(r?.self.objects[0]?.facts).toContainEqual(["locked at", expect.objectContaining({ function: "work()" })]);
    expect(relationsOf(snapshot, 4711)).toBeNull();
  });
});

describe("flame", () => {
  const all = [group({ count: 3, names: ["a", "main"] }), group({ count: 1, names: ["b", "main"], wait: "sleep" })];
  test("is as wide as there are goroutines", () => {
    const root = flameOf(all, "stack");
    expect(root.count).toBe(4);
    expect(root.children.map((c) => [c.title, c.count, c.self])).toEqual([["main", 4, 0]]);
    expect(root.children[0]?.children.map((c) => [c.title, c.count])).toEqual([["a", 3], ["b", 1]]);
    const { boxes } = layout(root);
    for (const b of boxes) expect(b.left + b.width).toBeLessThanOrEqual(1.0000001);
  });
  test("finds its way back to a box after a new look", () => {
    const box = layout(flameOf(all, "stack")).boxes.find((b) => b.node.title === "[sleep]")?.node;
    const again = flameOf([...all, group({ names: ["c", "d"] })], "stack");
    expect(findPath(again, pathId(box as NonNullable<typeof box>))?.title).toBe("[sleep]");
    expect(findPath(again, "nowhere")).toBeNull();
    expect(findPath(again, "")).toBe(again);
  });
  test("by creator it starts with who made them", () => {
    const root = flameOf([group({ createdBy: { function: "boss()" } })], "creator");
    expect(root.children[0]?.title).toBe("made at boss()");
  });
  test("of a difference knows both sides", () => {
    const root = flameOf([{ ...group({ count: 5 }), before: 2 }, { ...group({ count: 0, names: ["gone"] }), before: 4 }], "stack");
    expect([root.count, root.before]).toEqual([5, 6]);
    expect(root.children.map((c) => [c.title, c.before, c.count])).toEqual([["root", 2, 5], ["gone", 4, 0]]);
    expect(weight(root)).toBe(6);
  });
  test("folds", () => {
    expect(folded(flameOf([group({ count: 2, names: ["a;b", "main"] })], "stack"))).toBe("main;a:b;[chan send] 2\n");
  });
  test("of a very deep stack can be drawn, and folded", () => {
    const deep = flameOf([group({ names: Array.from({ length: 20_000 }, (_, i) => `f${i}`) })], "stack");
    expect(layout(deep).boxes.length).toBeGreaterThan(3000);
    expect(folded(deep).split(";").length).toBe(20_001);
  });
  test("of very many stacks is bounded", () => {
    const many = Array.from({ length: 20_000 }, (_, i) => group({ names: [`f${i}`, "main"] }));
    const { boxes, rests } = layout(flameOf(many, "stack"));
    expect(boxes.length).toBeLessThan(5000);
    // What is too narrow is told together.
    expect(rests).toMatchObject([{ boxes: 20_000, count: 20_000, left: 0, row: 2 }]);
    expect(rests[0]?.width).toBeCloseTo(1);
  });
});

describe("diff", () => {
  const entry = (change: DiffEntry["change"], before: number, after: number): DiffEntry => ({ change, before, after, thread: false, stack: [] });
  const diff: DiffJson = {
    schema: "weir.diff/1", old: { process: "p", total: 9 }, now: { process: "p", total: 9 }, same_process: true, same_process_why: "",
    entries: [entry("grown", 1, 5), entry("unchanged", 3, 3), entry("gone", 4, 0)],
  };
  test("leaves out what is as it was", () => {
    expect(changesOf(decodeDiff(diff)).map((e) => e.change)).toEqual(["grown", "gone"]);
  });
  test("shows what has changed most, whichever way", () => {
    const all = [entry("grown", 1, 9), entry("grown", 1, 2), entry("shrunk", 3, 2), entry("gone", 900, 0)];
    expect(largest(all, 2)).toEqual([all[0], all[3]]);
    expect(largest(all, 4)).toBe(all);
  });
  test("is one, or is refused", () => {
    expect(() => decodeDiff({ ...diff, schema: "weir.snapshot/1" })).toThrow(/weir.diff/);
    expect(() => decodeDiff(null as unknown as DiffJson)).toThrow();
  });
});

describe("series", () => {
  const points: Point[] = [[10, 1, 1, 1], [20, 2, 2, 2]];
  test("are told at other times", () => {
    expect(resample(points, [5, 10, 15, 20, 99])).toEqual([null, 1, 1, 2, 2]);
  });
  test("are summed by wait reason where all are known", () => {
    const line = (site: string, wait: string) => ({ site, wait, count: 1, peak: 1, growth_per_minute: 0, points });
    const t = { taken_at_ns: 20, sites: 2, total: [[10, 2, 2, 2], [20, 4, 4, 4]] as Point[], series: [line("a", "sleep"), line("b", "sleep")] };
    expect(rowsOfTrend(t).map((r) => r.waits)).toEqual([{ sleep: 2 }, { sleep: 4 }]);
    expect(rowsOfTrend({ ...t, sites: 3 }).map((r) => r.waits)).toEqual([{}, {}]);
  });
  test("are bounded, and go forward alone", () => {
    const rows: Row[] = [];
    for (let i = 0; i < kMostRows + 50; i++) append(rows, { at: i, total: i, waits: {} });
    append(rows, { at: 3, total: 0, waits: {} });
    expect(rows.length).toBe(kMostRows);
    expect(rows[0]?.at).toBe(50);
  });
  test("name the largest", () => {
    const rows = [{ at: 1, total: 9, waits: { a: 9, b: 1 } }, { at: 2, total: 5, waits: { b: 3, c: 2 } }];
    expect(largestWaits(rows, 2)).toEqual(["b", "c"]);
    expect(largestWaits(rows, 9)).toEqual(["b", "c", "a"]);
  });
  test("have what runs beside what waits", () => {
    const o = { taken_at_ns: 2e9, looks: 1, first_look_ns: 1, goroutines: 3, states: { running: 1, waiting: 2 }, waiting: { sleep: 2 }, findings: { certain: 0, likely: 0, suspect: 0 }, duration_ns: 1, interval_ns: 1 };
    expect(rowOf(o)).toEqual({ at: 2, total: 3, waits: { sleep: 2, running: 1 } });
  });
});
