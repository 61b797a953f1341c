// Numbers over time: what the endpoint remembers, and what it tells from then on. Bounded.
import type { Observation, Point, Trend } from "../api/types";

export interface Row {
  at: number; // s since 1970
  total: number;
  waits: Record<string, number>;
}

export const kMostRows = 1200;

/** The last value at or before each time; null before the first. */
export function resample(points: Point[], times: number[]): (number | null)[] {
  let i = 0;
  return times.map((t) => {
    while (i < points.length && (points[i] as Point)[0] <= t) i++;
    return i === 0 ? null : (points[i - 1] as Point)[3];
  });
}

/** What was before the page was opened: by wait reason where the sites are told all. */
export function rowsOfTrend(t: Trend): Row[] {
  const times = t.total.map((p) => p[0]);
  const rows: Row[] = t.total.map((p) => ({ at: p[0] / 1e9, total: p[3], waits: {} }));
  if (t.series.length < t.sites) return rows; // parts of a sum would look like a sum
  for (const line of t.series) {
    resample(line.points, times).forEach((n, i) => {
      const row = rows[i] as Row;
      if (n) row.waits[line.wait] = (row.waits[line.wait] ?? 0) + n;
    });
  }
  return rows;
}

export function rowOf(o: Observation): Row {
  const waits: Record<string, number> = { ...o.waiting };
  for (const [state, n] of Object.entries(o.states)) {
    if (state !== "waiting") waits[state] = (waits[state] ?? 0) + n;
  }
  return { at: o.taken_at_ns / 1e9, total: o.goroutines, waits };
}

/** Adds what is newer; drops what is oldest. */
export function append(rows: Row[], row: Row): void {
  const last = rows[rows.length - 1];
  if (last && row.at <= last.at) return;
  rows.push(row);
  if (rows.length > kMostRows) rows.splice(0, rows.length - kMostRows);
}

/** The wait reasons of the most goroutines now, and the largest ones before. */
export function largestWaits(rows: Row[], most: number): string[] {
  const peak = new Map<string, number>();
  const last = rows[rows.length - 1];
  for (const row of rows) {
    for (const [name, n] of Object.entries(row.waits)) {
      peak.set(name, Math.max(peak.get(name) ?? 0, n));
    }
  }
  return [...peak.keys()]
    .sort((a, b) => {
      const now = (last?.waits[b] ?? 0) - (last?.waits[a] ?? 0);
      return now || (peak.get(b) ?? 0) - (peak.get(a) ?? 0) || (a < b ? -1 : 1);
    })
    .slice(0, most);
}
