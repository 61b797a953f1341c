// Numbers and places as people read them. Each with its unit.
import type { Place } from "../api/types";

const grouped = new Intl.NumberFormat("en-US");

export function count(n: number): string {
  return grouped.format(Math.round(n));
}

export function goroutines(n: number): string {
  return `${count(n)} ${n === 1 ? "goroutine" : "goroutines"}`;
}

/** Three digits at most: 950, 1.2k, 34k, 1.5M. For axes and small places. */
export function compact(n: number): string {
  const abs = Math.abs(n);
  if (abs < 1000) return String(Math.round(n * 10) / 10);
  const [unit, by] = abs < 1e6 ? ["k", 1e3] : abs < 1e9 ? ["M", 1e6] : ["G", 1e9];
  const x = n / (by as number);
  return `${Math.abs(x) < 10 ? Math.round(x * 10) / 10 : Math.round(x)}${unit}`;
}

export function duration(ns: number): string {
  if (ns < 0) return "";
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${trim(ns / 1e3)} µs`;
  if (ns < 1e9) return `${trim(ns / 1e6)} ms`;
  const s = ns / 1e9;
  if (s < 60) return `${s < 10 ? trim(s) : Math.floor(s)} s`;
  const whole = Math.floor(s);
  if (s < 3600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
  if (s < 86400) return two(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  return two(Math.floor(whole / 86400), "d", Math.floor((whole % 86400) / 3600), "h");
}

function two(a: number, unit: string, b: number, smaller: string): string {
  return b === 0 ? `${a} ${unit}` : `${a} ${unit} ${b} ${smaller}`;
}

function trim(n: number): string {
  return String(n < 10 ? Math.round(n * 10) / 10 : Math.round(n));
}

export function perMinute(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return "";
  if (Math.abs(n) < 0.05) return "steady";
  const abs = Math.abs(n);
  const text = abs < 10 ? String(Math.round(abs * 10) / 10) : count(abs);
  return `${n < 0 ? "−" : "+"}${text}/min`;
}

export function signed(n: number): string {
  return n === 0 ? "0" : `${n < 0 ? "−" : "+"}${count(Math.abs(n))}`;
}

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let x = n;
  let unit = "B";
  for (const next of units) {
    if (x < 1024) break;
    x /= 1024;
    unit = next;
  }
  return `${x < 10 ? Math.round(x * 10) / 10 : Math.round(x)} ${unit}`;
}

/** The last two parts of the path, and the line. */
export function shortPlace(p: Place | null | undefined): string {
  if (!p?.file) return "";
  const parts = p.file.split("/").filter((x) => x !== "");
  return `${parts.slice(-2).join("/")}${p.line ? `:${p.line}` : ""}`;
}

/** As it stands in dumps, and as the filter finds it. */
export function wholePlace(p: Place | null | undefined): string {
  if (!p?.file) return "";
  return p.line ? `${p.file}:${p.line}` : p.file;
}

export function clock(ns: number): string {
  return new Date(ns / 1e6).toLocaleTimeString("en-GB");
}

export function ago(ms: number): string {
  return ms < 1500 ? "just now" : `${duration(ms * 1e6)} ago`;
}

/** A function's name in as many characters: without arguments, then without what it is in, from the
 * outside on; its own name always stays, which a lambda has not. */
export function shortened(name: string, characters: number): string {
  if (name.length <= characters) return name;
  let rest = name.replace(/(?<=[^.(])\(.*$/s, ""); // but not Go's "(*conn)"
  while (rest.length > characters) {
    const next = /^[^:/<([]*(::|\/)/.exec(rest);
    if (!next || rest.startsWith("lambda", next[0].length)) break;
    rest = rest.slice(next[0].length);
  }
  return rest;
}
