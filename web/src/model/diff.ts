// What changed between two looks: the endpoint tells (weir.diff/1), so that the page, the command and
// the check of a pull request mean the same by it.
import type { Place } from "../api/types";

export type Change = "new" | "grown" | "shrunk" | "gone" | "unchanged";

/** weir.diff/1, as far as the page looks at it: profiler/src/diff_json.cc describes it. */
export interface DiffJson {
  schema: string;
  old: DiffSide;
  now: DiffSide;
  same_process: boolean;
  same_process_why: string;
  entries: DiffEntry[];
}

export interface DiffSide {
  process: string;
  taken_at_ns?: number;
  total: number;
  truncated?: boolean; // a text that was cut off
}

export interface DiffEntry {
  change: Change;
  before: number;
  after: number;
  wait?: string;
  thread: boolean;
  stack: Place[]; // innermost first
  created_by?: Place;
  oldest_ns?: number;
  site?: string;
}

export function decodeDiff(j: DiffJson): DiffJson {
  if (j?.schema !== "weir.diff/1" || !Array.isArray(j.entries)) throw new Error("not weir.diff/1");
  return j;
}

/** What is not as it was, what grew most first. */
export function changesOf(d: DiffJson): DiffEntry[] {
  return d.entries.filter((e) => e.change !== "unchanged");
}

/** Those that have changed most, in the order in which they are. */
export function largest(all: DiffEntry[], most: number): DiffEntry[] {
  if (all.length <= most) return all;
  const change = (e: DiffEntry) => Math.abs(e.after - e.before);
  const taken = new Set([...all].sort((a, b) => change(b) - change(a)).slice(0, most));
  return all.filter((e) => taken.has(e));
}
