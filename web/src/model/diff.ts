// What changed between two snapshots, group by group.
import { type Group, groupKey } from "./groups";

export type Change = "new" | "grown" | "shrunk" | "gone";

export interface DiffEntry {
  change: Change;
  before: number;
  after: number;
  group: Group; // of the later one, if it is there
}

/** What grew most first; what stayed as it was is left out. Labels, which may be of one request, do not
 * tell groups apart. */
export function diffOf(before: Group[], after: Group[]): DiffEntry[] {
  const entries = new Map<string, DiffEntry>();
  for (const g of before) {
    const key = groupKey(g, false);
    const same = entries.get(key);
    if (same) same.before += g.count;
    else entries.set(key, { change: "gone", before: g.count, after: 0, group: g });
  }
  for (const g of after) {
    const key = groupKey(g, false);
    const same = entries.get(key);
    if (same) {
      same.after += g.count;
      same.group = g;
    } else {
      entries.set(key, { change: "new", before: 0, after: g.count, group: g });
    }
  }
  const changed: DiffEntry[] = [];
  for (const e of entries.values()) {
    if (e.before === e.after) continue;
    e.change = e.before === 0 ? "new" : e.after === 0 ? "gone" : e.after > e.before ? "grown" : "shrunk";
    changed.push(e);
  }
  return changed.sort((a, b) => b.after - b.before - (a.after - a.before) || b.after - a.after);
}
