import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Filter, Groups } from "../model/groups";
import { Chosen } from "./chosen";
import type { GroupsStore } from "./groups_store";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const filter = (q: string): Filter => ({ q, states: [], labels: [], packages: [], site: "", ageNs: 0 });

function made(...names: string[]): Groups {
  const groups = names.map((name) => ({
    id: name, site: name, stack: [{ function: name }], state: "waiting", wait: "sleep", createdBy: null, blockedAt: null,
    thread: false, leaked: false, labels: [], count: 1, oldestNs: -1, haystack: name,
  }));
  return { takenAtNs: 0, seenAt: 0, total: groups.length, process: "", pid: 1, source: "", groups };
}

/** A store whose answers come when they are told to. */
function setUp() {
  const asked: { q: string; signal: AbortSignal; answer: (g: Groups) => void; fail: (e: Error) => void }[] = [];
  const store = {
    load: (_anew: boolean, signal: AbortSignal, q = "") =>
      new Promise<Groups>((answer, fail) => {
        signal.addEventListener("abort", () => fail(signal.reason));
        asked.push({ q, signal, answer, fail });
      }),
  } as unknown as GroupsStore;
  const failures: unknown[] = [];
  const chosen = new Chosen(store, () => {}, (e) => failures.push(e));
  const names = (q: string) => chosen.groups(filter(q))?.map((g) => g.id) ?? null;
  return { asked, chosen, failures, names };
}

test("a text is found at once, and then as the endpoint means it", async () => {
  const { asked, chosen, names } = setUp();
  chosen.show(filter(""));
  asked[0]?.answer(made("alpha", "beta"));
  await vi.advanceTimersByTimeAsync(0);
  expect(names("")).toEqual(["alpha", "beta"]);
  chosen.show(filter("alp"));
  expect(names("alp")).toEqual(["alpha"]);
  expect(chosen.isWhole(filter("alp"))).toBe(false);
  await vi.advanceTimersByTimeAsync(1000);
  asked[1]?.answer(made("alpha", "one that is called alp"));
  await vi.advanceTimersByTimeAsync(0);
  expect(names("alp")).toEqual(["alpha", "one that is called alp"]);
  expect(chosen.isWhole(filter("alp"))).toBe(true);
});

test("an expression is never tried here", async () => {
  const { asked, chosen, names } = setUp();
  chosen.show(filter("(.*.*)*|"));
  asked[0]?.answer(made("x".repeat(1000)));
  await vi.advanceTimersByTimeAsync(0);
  expect(names("(.*.*)*|")).toBeNull();
  asked[1]?.answer(made("found"));
  await vi.advanceTimersByTimeAsync(0);
  expect(names("(.*.*)*|")).toEqual(["found"]);
});

test("what was typed on is not asked for, and an answer to another question is not taken", async () => {
  const { asked, chosen, failures, names } = setUp();
  chosen.show(filter(""));
  asked[0]?.answer(made("a"));
  await vi.advanceTimersByTimeAsync(0);
  for (const q of ["b", "be", "bet"]) chosen.show(filter(q));
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked.map((a) => a.q)).toEqual(["", "bet"]);
  chosen.show(filter("")); // all of them again, before the answer has come
  asked[1]?.answer(made("bet"));
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked[1]?.signal.aborted).toBe(true);
  expect(names("")).toEqual(["a"]);
  expect(failures).toEqual([]);
});

test("what fails is told", async () => {
  const { asked, chosen, failures } = setUp();
  chosen.show(filter(""));
  asked[0]?.fail(new Error("busy"));
  await vi.advanceTimersByTimeAsync(0);
  expect(failures).toEqual([new Error("busy")]);
});

test("a look that was asked for comes, whatever else is chosen meanwhile", async () => {
  const { asked, chosen, names } = setUp();
  chosen.show(filter(""));
  asked[0]?.answer(made("old"));
  await vi.advanceTimersByTimeAsync(0);
  void chosen.load(true);
  chosen.show({ ...filter(""), states: ["sleep"] }); // of the same query
  asked[1]?.answer(made("new"));
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked.length).toBe(2);
  expect(names("")).toEqual(["new"]);
});

test("what has failed is asked for once more with the next choice", async () => {
  const { asked, chosen } = setUp();
  chosen.show(filter("(x"));
  asked[0]?.answer(made("a"));
  await vi.advanceTimersByTimeAsync(0);
  asked[1]?.fail(new Error("busy"));
  await vi.advanceTimersByTimeAsync(0);
  chosen.show({ ...filter("(x"), states: ["sleep"] });
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked.map((a) => a.q)).toEqual(["", "(x", "(x"]);
});
