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
  takenAtNs: number; // by the clock of the process
  seenAt: number; // ms, by the clock here
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
  if (g.state === "waiting") parts.push(g.wait);
  for (const [key, value] of g.labels) parts.push(`${key}=${value}`);
  return parts.join("\n").toLowerCase();
}

export function decodeGroups(j: GroupsJson, seenAt = Date.now()): Groups {
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
    seenAt,
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

/** What a group is, whatever its number: to find it again in another look. */
export function groupKey(g: Pick<Group, "stack" | "wait" | "createdBy" | "thread" | "labels">): string {
  const place = (p: Place | null) => (p ? `${p.function}\t${wholePlace(p)}` : "");
  return [g.wait, String(g.thread), place(g.createdBy), ...g.labels.map(([k, v]) => `${k}=${v}`), "", ...g.stack.map(place)].join("\n");
}

/** Where a function is from: a Go package, or the namespaces of C++, the outermost first; none: [].
 * "net/http.(*conn).serve" -> net/http; "weir::http::Server::serve(int)" -> weir, weir::http::Server. */
export function packagesOf(name: string): string[] {
  const bare = name.replace(/[(<[].*$/s, "");
  const colons = bare.lastIndexOf("::");
  if (colons > 0) {
    const whole = bare.slice(0, colons);
    const outermost = whole.slice(0, (whole + "::").indexOf("::"));
    return outermost === whole ? [whole] : [outermost, whole];
  }
  const dot = bare.indexOf(".", bare.lastIndexOf("/") + 1);
  return dot > 0 ? [bare.slice(0, dot)] : [];
}

/** As the endpoint's `package`. */
export function isInPackage(name: string, wanted: string): boolean {
  return name.startsWith(wanted) && /^(::|[./]|$)/.test(name.slice(wanted.length));
}

export interface Filter {
  q: string;
  states: string[];
  labels: string[]; // "key" or "key=value"
  packages: string[]; // one of them is where the group is stuck, or was made
  site: string;
  ageNs: number; // somebody in the group has waited that long
}

export function filterOf(params: URLSearchParams): Filter {
  return {
    q: params.get("q") ?? "",
    states: (params.get("state") ?? "").split(",").map((s) => s.trim()).filter((s) => s !== ""),
    labels: params.getAll("label").filter((l) => l !== ""),
    packages: params.getAll("package").filter((p) => p !== ""),
    site: params.get("site") ?? "",
    ageNs: /^\d{1,9}$/.test(params.get("age") ?? "") ? Number(params.get("age")) * 1e9 : 0,
  };
}

/** Whether a query is a text and nothing else. What may be a regular expression is for the endpoint,
 * which has one that ends in time, and none that a browser would read differently. */
export function isText(q: string): boolean {
  return !/[\\^$.*+?()[\]{}|]/.test(q);
}

// What was chosen last of a list: each look at the same, and each view of it, asks again.
const choices = new WeakMap<Group[], { filter: string; chosen: Group[] }>();

/** The query as a text, in any case. Neither the list nor what is given is changed any more. */
export function choose(groups: Group[], f: Filter): Group[] {
  const filter = JSON.stringify(f);
  const known = choices.get(groups);
  if (known?.filter === filter) return known.chosen;
  const chosen = chosenOf(groups, f);
  choices.set(groups, { filter, chosen });
  return chosen;
}

function chosenOf(groups: Group[], f: Filter): Group[] {
  const q = f.q.toLowerCase();
  const states = new Set(f.states.map((s) => s.toLowerCase()));
  return groups.filter(
    (g) =>
      (f.site === "" || g.site === f.site) &&
      (f.ageNs === 0 || g.oldestNs >= f.ageNs) &&
      (states.size === 0 || states.has(g.state) || states.has(g.wait.toLowerCase())) &&
      f.labels.every((wanted) =>
        g.labels.some(([key, value]) => wanted === key || wanted === `${key}=${value}`),
      ) &&
      (f.packages.length === 0 ||
        f.packages.some((p) => isInPackage(g.blockedAt?.function ?? "", p) || isInPackage(g.createdBy?.function ?? "", p))) &&
      (q === "" || g.haystack.includes(q)),
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

/** The filter as the endpoint takes it. */
export function serverFilter(f: Filter): Record<string, string | string[]> {
  return {
    q: f.q,
    state: f.states.join(","),
    label: f.labels,
    package: f.packages,
    site: f.site,
    age: f.ageNs > 0 ? String(f.ageNs / 1e9) : "",
  };
}
