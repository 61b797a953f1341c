// One goroutine and those it has to do with, out of a snapshot that holds just these.
import type { MemberJson, ObjectJson, Place, SnapshotGroup, SnapshotJson } from "../api/types";
import { wholePlace } from "./format";
import { creatorOf, shownFrames } from "./groups";

export interface Goroutine {
  goid: number;
  name: string;
  wait: string;
  state: string;
  sinceNs: number;
  cpuNs: number;
  stackBytes: number;
  stack: Place[];
  createdBy: Place | null;
  parent: number;
  labels: [string, string][];
  objects: WaitedFor[];
  thread: boolean;
}

export interface WaitedFor {
  kind: string;
  address: string;
  facts: [string, string | Place][]; // what is known of it
  owner: number; // 0: nobody, or not known
}

export interface Relations {
  self: Goroutine;
  parents: Goroutine[]; // who made it, who made that one, ..
  goneParent: number; // the first creator that lives no more; 0: none
  owners: Goroutine[]; // who holds what it waits for
  companions: Goroutine[]; // who waits for the same
}

/** What it was seen doing, from `at` on. */
export interface Sight {
  at: number; // ms since 1970, by the clock of the process
  wait: string;
  where: Place | null;
}

const kMostSights = 200;

/** Adds a look at it where it differs from the one before; ms may have passed in between. */
export function addSight(history: Sight[], g: Goroutine, takenAtNs: number): void {
  const where = g.stack[0] ?? null;
  const last = history[history.length - 1];
  if (last && last.wait === g.wait && wholePlace(last.where) === wholePlace(where) && last.where?.function === where?.function) return;
  // The first one knows since when; so does one that has begun since the last look.
  const began = g.sinceNs >= 0 ? takenAtNs - g.sinceNs : takenAtNs;
  history.push({ at: Math.max(began / 1e6, last?.at ?? 0), wait: g.wait, where });
  if (history.length > kMostSights) history.splice(0, history.length - kMostSights);
}

/** What a goroutine waits for that has no object: it never ends, and says why. */
export function noObject(g: Goroutine): string {
  if (/\(nil chan\)$/.test(g.wait)) return "A nil channel, which never becomes ready.";
  if (g.wait === "select (no cases)") return "Nothing: a select without cases never ends.";
  if (g.wait === "sleep") return "A time to come.";
  return g.state === "waiting" ? "Nothing that is known." : "Nothing: it does not wait.";
}

function placeAt(s: SnapshotJson, location: number | undefined): Place | null {
  return location === undefined ? null : creatorOf(s, location);
}

export function factsOf(s: SnapshotJson, o: ObjectJson): [string, string | Place][] {
  const facts: [string, string | Place][] = [];
  const say = (what: string, n: number | undefined) => {
    if (n !== undefined && n !== 0) facts.push([what, n.toLocaleString("en-US")]);
  };
  const at = (what: string, location: number | undefined) => {
    const place = placeAt(s, location);
    if (place) facts.push([what, place]);
  };
  if (o.kind === "chan") {
    facts.push(["waits to", o.send ? "send" : "receive"]);
    facts.push(["buffer", o.cap ? `${o.len ?? 0} of ${o.cap} full` : "none"]);
    if (o.closed) facts.push(["closed", "yes"]);
    if (o.timer) facts.push(["timer", o.armed ? "will fire" : "will never fire"]);
    say("sends so far", o.sends);
    say("receives so far", o.recvs);
    say("handles", o.handles);
  } else if (o.kind === "io") {
    facts.push(["connection", `${o.network ?? ""} ${o.local ?? ""} → ${o.remote ?? ""}`.trim()]);
    facts.push(["waits to", o.direction ?? ""]);
    say("file descriptor", o.fd);
  } else if (o.kind === "http_body") {
    facts.push(["request", `${o.method ?? ""} ${o.url ?? ""}`.trim()]);
    say("status", o.status);
  } else if (o.kind === "waitgroup") {
    facts.push(["counter", String(o.counter ?? 0)]);
    say("adds", o.adds);
    say("dones", o.dones);
  } else {
    say("readers", o.readers);
    say("size", o.cap);
    say("taken", o.len);
    say("waiters", o.waiters);
    say("signals so far", o.signals);
  }
  at("made at", o.made_at);
  at("locked at", o.locked_at);
  at("read-locked at", o.rlocked_at);
  at("last add at", o.added_at);
  at("last done at", o.done_at);
  at("last signalled at", o.signalled_at);
  return facts;
}

function decode(s: SnapshotJson, g: SnapshotGroup, m: MemberJson): Goroutine {
  const first = m.first_object ?? 0;
  return {
    goid: m.goid,
    name: m.name ? (s.strings[m.name] ?? "") : "",
    wait: g.state === "waiting" && g.wait_reason ? g.wait_reason : g.state,
    state: g.state,
    sinceNs: m.since_ns,
    cpuNs: m.cpu_ns ?? -1,
    stackBytes: m.stack_bytes ?? 0,
    stack: shownFrames(s, g.stack),
    createdBy: creatorOf(s, g.created_by),
    parent: m.parent_goid,
    labels: g.labels,
    objects: s.objects.slice(first, first + (m.object_count ?? 0)).map((o) => ({
      kind: o.kind,
      address: o.address,
      facts: factsOf(s, o),
      owner: o.owner_goid ?? 0,
    })),
    thread: g.thread,
  };
}

/** Null: it is not there. */
export function relationsOf(s: SnapshotJson, goid: number): Relations | null {
  const all = new Map<number, Goroutine>();
  for (const g of s.groups) for (const m of g.members) all.set(m.goid, decode(s, g, m));
  const self = all.get(goid);
  if (!self) return null;
  const parents: Goroutine[] = [];
  const seen = new Set([goid]);
  let at = self.parent;
  while (at && !seen.has(at)) {
    const parent = all.get(at);
    if (!parent) break;
    seen.add(at);
    parents.push(parent);
    at = parent.parent;
  }
  const goneParent = at && !all.has(at) ? at : 0;
  const mine = new Set(self.objects.map((o) => o.address));
  const owners = [...new Set(self.objects.map((o) => o.owner))].map((o) => all.get(o)).filter((o) => o !== undefined);
  const companions = [...all.values()].filter((g) => g.goid !== goid && g.objects.some((o) => mine.has(o.address)));
  return { self, parents, goneParent, owners, companions };
}
