// Stacks -> a tree whose widths are goroutines, for one snapshot or for the difference of two.
import type { Place } from "../api/types";
import { wholePlace } from "./format";

export interface FlameNode {
  key: string; // of the frame, among its siblings
  hash: number; // of the way to it: the same after a new look
  place: Place | null; // null: the root
  title: string;
  count: number; // goroutines, of the later snapshot
  before: number; // of the earlier one; 0 where there is one alone
  self: number; // of count, that are right here
  depth: number;
  parent: FlameNode | null;
  children: FlameNode[];
}

/** Goroutines with one stack: a group, or what a difference tells of one. */
export interface Stacked {
  stack: Place[]; // innermost first
  wait?: string;
  createdBy?: Place | null;
  count: number;
  before?: number; // of an earlier snapshot, where it is about the difference
}

export type Order = "stack" | "creator";

function node(key: string, place: Place | null, title: string, parent: FlameNode | null): FlameNode {
  let hash = parent?.hash ?? 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193) >>> 0;
  return { key, hash, place, title, count: 0, before: 0, self: 0, depth: parent ? parent.depth + 1 : 0, parent, children: [] };
}

/** How wide a node is: the larger of both sides. */
export function weight(n: FlameNode): number {
  return Math.max(n.count, n.before);
}

export function flameOf(groups: Stacked[], order: Order): FlameNode {
  const root = node("", null, "all goroutines", null);
  const index = new Map<FlameNode, Map<string, FlameNode>>();
  const child = (of: FlameNode, place: Place, title: string): FlameNode => {
    let known = index.get(of);
    if (!known) index.set(of, (known = new Map<string, FlameNode>()));
    const key = `${title}\t${wholePlace(place)}`;
    let next = known.get(key);
    if (!next) {
      next = node(key, place, title, of);
      known.set(key, next);
      of.children.push(next);
    }
    return next;
  };
  for (const g of groups) {
    const path: [Place, string][] = [];
    if (order === "creator" && g.createdBy) path.push([g.createdBy, `made at ${g.createdBy.function}`]);
    for (let i = g.stack.length - 1; i >= 0; i--) {
      const place = g.stack[i] as Place;
      path.push([place, place.function]);
    }
    // What it waits for is on top of where it waits.
    if (g.wait) path.push([{ function: g.wait }, `[${g.wait}]`]);
    let at = root;
    root.count += g.count;
    root.before += g.before ?? 0;
    for (const [place, title] of path) {
      at = child(at, place, title);
      at.count += g.count;
      at.before += g.before ?? 0;
    }
    at.self += g.count;
  }
  const sort = (n: FlameNode) => {
    n.children.sort((a, b) => weight(b) - weight(a) || (a.key < b.key ? -1 : 1));
    n.children.forEach(sort);
  };
  sort(root);
  return root;
}

export interface Box {
  node: FlameNode;
  left: number; // share of the whole width, 0 to 1
  width: number;
  row: number;
}

const kNarrowest = 0.0012; // share of the width below which nothing can be seen
const kMostBoxes = 4000;

/** What is drawn when `focus` has the whole width: it, those it came by, and what is above it. */
export function layout(focus: FlameNode): Box[] {
  const boxes: Box[] = [];
  const path: FlameNode[] = [];
  for (let n: FlameNode | null = focus; n; n = n.parent) path.unshift(n);
  for (const n of path) boxes.push({ node: n, left: 0, width: 1, row: n.depth });
  // Level by level: where there is too much, the outer frames are what is kept.
  let level: Box[] = [{ node: focus, left: 0, width: 1, row: focus.depth }];
  while (level.length > 0 && boxes.length < kMostBoxes) {
    const next: Box[] = [];
    for (const box of level) {
      const all = Math.max(
        weight(box.node),
        box.node.children.reduce((sum, c) => sum + weight(c), 0),
      );
      let left = box.left;
      for (const c of box.node.children) {
        const width = all > 0 ? (box.width * weight(c)) / all : 0;
        if (width >= kNarrowest) next.push({ node: c, left, width, row: c.depth });
        left += width;
      }
    }
    boxes.push(...next.slice(0, kMostBoxes - boxes.length));
    level = next;
  }
  return boxes;
}

/** Names a node in an address. */
export function pathId(n: FlameNode): string {
  return n.parent ? n.hash.toString(36) : "";
}

export function findPath(root: FlameNode, id: string): FlameNode | null {
  if (id === "") return root;
  const todo = [root];
  while (todo.length > 0) {
    const n = todo.pop() as FlameNode;
    if (pathId(n) === id) return n;
    todo.push(...n.children);
  }
  return null;
}

/** "a;b;c 12" lines, which other flame graph programs read. */
export function folded(root: FlameNode): string {
  const lines: string[] = [];
  const visit = (n: FlameNode, path: string[]) => {
    const here = n.parent ? [...path, n.title.replaceAll(";", ":").replaceAll("\n", " ")] : path;
    if (n.self > 0) lines.push(`${here.join(";")} ${n.self}`);
    for (const c of n.children) visit(c, here);
  };
  visit(root, []);
  return `${lines.join("\n")}\n`;
}
