// Groups of goroutines, and who of them is asked for. Pure functions over the endpoint's JSON.
import type { GroupsJson, Place, SnapshotJson } from "../api/types";
import { wholePlace } from "./format";

export interface Group {
  id: string;
  site: string;
  stack: Place[]; // innermost first
  state: string;
  wait: string; // what dumps put into the brackets: the wait reason, else the state
  createdBy: Place | null;
  blockedAt: Place | null;
  thread: boolean;
  leaked: boolean;
  labels: [string, string][];
  count: number;
  oldestNs: number; // -1: not known
  haystack: string; // what a query is looked for in, in small letters
}

export interface Groups {
  takenAtNs: number;
  total: number;
  process: string;
  pid: number;
  source: string;
  groups: Group[];
}

const kUnknown: Place = { function: "???" };

function haystack(g: Omit<Group, "haystack">): string {
  const parts: string[] = [];
  const place = (p: Place | null) => {
    if (!p) return;
    parts.push(p.function);
    if (p.file) parts.push(wholePlace(p));
  };
  for (const p of g.stack) place(p);
  place(g.createdBy);
  parts.push(g.wait);
  for (const [key, value] of g.labels) parts.push(`${key}=${value}`);
  return parts.join("\n").toLowerCase();
}

export function decodeGroups(j: GroupsJson): Groups {
  if (j.schema !== "weir.groups/1") throw new Error("not weir.groups/1");
  const frame = (i: number | undefined) => (i === undefined ? null : (j.frames[i] ?? null));
  const groups = j.groups.map((g) => {
    const bare = {
      id: g.id,
      site: g.site,
      stack: (j.stacks[g.stack] ?? []).map((i) => j.frames[i] ?? kUnknown),
      state: g.state,
      wait: g.state === "waiting" && g.wait ? g.wait : g.state,
      createdBy: frame(g.created_by),
      blockedAt: frame(g.blocked_at),
      thread: g.thread ?? false,
      leaked: g.leaked ?? false,
      labels: g.labels ?? [],
      count: g.count,
      oldestNs: g.oldest_ns ?? -1,
    };
    return { ...bare, haystack: haystack(bare) };
  });
  return {
    takenAtNs: j.taken_at_ns,
    total: j.total,
    process: j.process,
    pid: j.pid,
    source: j.source,
    groups,
  };
}

/** The frames of a stack that dumps show: without the runtime's at both ends, unless all are. */
export function shownFrames(s: SnapshotJson, stack: number): Place[] {
  const all: (Place & { runtime: boolean })[] = [];
  const st = s.stacks[stack];
  for (const l of st?.locations ?? []) {
    const location = s.locations[l];
    if (!location) continue;
    if (location.frames.length === 0) all.push({ function: location.address, runtime: false });
    for (const f of location.frames) {
      const frame = s.frames[f];
      if (frame) all.push(frame);
    }
  }
  const first = all.findIndex((f) => !f.runtime);
  if (first < 0) return all;
  let end = all.length;
  while (!st?.truncated && end > first && all[end - 1]?.runtime) end--;
  return all.slice(first, end);
}

export function creatorOf(s: SnapshotJson, location: number | null): Place | null {
  if (location === null) return null;
  const frames = (s.locations[location]?.frames ?? []).map((f) => s.frames[f]).filter((f) => !!f);
  return frames.find((f) => !f?.runtime) ?? frames[frames.length - 1] ?? null;
}

/** A saved weir.snapshot/1, which somebody has kept or dropped on the page. Throws what is wrong. */
export function groupsOfSnapshot(s: SnapshotJson): Groups {
  if (s.schema !== "weir.snapshot/1" || !Array.isArray(s.groups)) {
    throw new Error("not a snapshot of weir (format=json)");
  }
  const byKey = new Map<string, Group>();
  for (const g of s.groups) {
    const stack = shownFrames(s, g.stack);
    const bare = {
      id: "",
      site: "",
      stack,
      state: g.state,
      wait: g.state === "waiting" && g.wait_reason ? g.wait_reason : g.state,
      createdBy: creatorOf(s, g.created_by),
      blockedAt: stack[0] ?? null,
      thread: g.thread,
      leaked: g.leaked ?? false,
      labels: g.labels,
      count: g.count,
      oldestNs: g.oldest_ns ?? -1,
    };
    const key = groupKey(bare);
    const same = byKey.get(key);
    if (same) {
      same.count += bare.count;
      same.oldestNs = Math.max(same.oldestNs, bare.oldestNs);
    } else {
      byKey.set(key, { ...bare, id: key, haystack: haystack(bare) });
    }
  }
  return {
    takenAtNs: s.taken_at_ns,
    total: s.total,
    process: s.process,
    pid: s.pid,
    source: s.source,
    groups: [...byKey.values()].sort((a, b) => b.count - a.count),
  };
}

/** What two groups of different snapshots have in common when they are the same. */
export function groupKey(
  g: Pick<Group, "stack" | "wait" | "createdBy" | "thread" | "labels">,
  withLabels = true,
): string {
  const place = (p: Place | null) => (p ? `${p.function}\t${wholePlace(p)}` : "");
  return [
    g.wait,
    String(g.thread),
    place(g.createdBy),
    ...(withLabels ? g.labels.map(([k, v]) => `${k}=${v}`) : []),
    "",
    ...g.stack.map(place),
  ].join("\n");
}

export interface Filter {
  q: string;
  states: string[];
  labels: string[]; // "key" or "key=value"
  site: string;
  ageNs: number; // somebody in the group has waited that long
}

export function filterOf(params: URLSearchParams): Filter {
  return {
    q: params.get("q") ?? "",
    states: (params.get("state") ?? "").split(",").map((s) => s.trim()).filter((s) => s !== ""),
    labels: params.getAll("label").filter((l) => l !== ""),
    site: params.get("site") ?? "",
    ageNs: Math.max(0, Number(params.get("age") ?? 0) || 0) * 1e9,
  };
}

/** As the endpoint's q: as it stands or as a regular expression, in any case. */
export function finder(q: string): (haystack: string) => boolean {
  const small = q.toLowerCase();
  if (small === "") return () => true;
  let expression: RegExp | null = null;
  if (/[\\^$.*+?()[\]{}|]/.test(q)) {
    try {
      expression = new RegExp(q, "im");
    } catch {
      expression = null; // then it is a text
    }
  }
  return (text) => text.includes(small) || (expression?.test(text) ?? false);
}

export function choose(groups: Group[], f: Filter): Group[] {
  const finds = finder(f.q);
  const states = new Set(f.states.map((s) => s.toLowerCase()));
  return groups.filter(
    (g) =>
      (f.site === "" || g.site === f.site) &&
      (f.ageNs === 0 || g.oldestNs >= f.ageNs) &&
      (states.size === 0 || states.has(g.state) || states.has(g.wait.toLowerCase())) &&
      f.labels.every((wanted) =>
        g.labels.some(([key, value]) => wanted === key || wanted === `${key}=${value}`),
      ) &&
      finds(g.haystack),
  );
}

export function sum(groups: Group[]): number {
  return groups.reduce((n, g) => n + g.count, 0);
}

/** As debug=2 prints it, for the clipboard. */
export function groupText(g: Group): string {
  const lines = [`${g.count} ${g.count === 1 ? "goroutine" : "goroutines"} [${g.wait}]:`];
  for (const p of g.stack) lines.push(p.function, `\t${wholePlace(p) || "?"}`);
  if (g.createdBy) lines.push(`created by ${g.createdBy.function}`, `\t${wholePlace(g.createdBy) || "?"}`);
  if (g.labels.length > 0) lines.push(`labels: ${g.labels.map(([k, v]) => `${k}=${v}`).join(", ")}`);
  return `${lines.join("\n")}\n`;
}

/** The filter as the endpoint takes it. It does not know places of leaks: their line is what is asked for. */
export function serverFilter(f: Filter, groups: Group[]): { q: string; state: string; label: string[] } {
  const at = f.site ? groups.find((g) => g.site === f.site)?.blockedAt : null;
  return { q: f.q || wholePlace(at), state: f.states.join(","), label: f.labels };
}
