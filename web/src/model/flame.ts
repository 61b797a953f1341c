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

// A frame as it is met on the way from the root: what it is called among its siblings.
interface Step {
  place: Place;
  title: string;
  key: string;
  hash: number;
}

function stepOf(place: Place, title: string): Step {
  const key = `${title}\t${wholePlace(place)}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193) >>> 0;
  return { place, title, key, hash };
}

// The stacks of a snapshot share their places, so that each is looked at once, not in each group.
const frameSteps = new WeakMap<Place, Step>();
const creatorSteps = new WeakMap<Place, Step>();

function kept(steps: WeakMap<Place, Step>, place: Place, prefix: string): Step {
  let step = steps.get(place);
  if (!step) steps.set(place, (step = stepOf(place, prefix + place.function)));
  return step;
}

function node(step: Step | null, parent: FlameNode | null): FlameNode {
  const hash = parent && step ? Math.imul(parent.hash ^ step.hash, 0x01000193) >>> 0 : 0x811c9dc5;
  return {
    key: step?.key ?? "",
    hash,
    place: step?.place ?? null,
    title: step?.title ?? "all goroutines",
    count: 0,
    before: 0,
    self: 0,
    depth: parent ? parent.depth + 1 : 0,
    parent,
    children: [],
  };
}

/** How wide a node is: the larger of both sides. */
export function weight(n: FlameNode): number {
  return Math.max(n.count, n.before);
}

// What was made of a list: a zoom, or another look at the same, needs no other tree.
const trees = new WeakMap<Stacked[], Partial<Record<Order, FlameNode>>>();

/** Lists that were given are not changed any more. */
export function flameOf(groups: Stacked[], order: Order): FlameNode {
  let known = trees.get(groups);
  if (!known) trees.set(groups, (known = {}));
  return (known[order] ??= treeOf(groups, order));
}

function treeOf(groups: Stacked[], order: Order): FlameNode {
  const root = node(null, null);
  const index = new Map<FlameNode, Map<string, FlameNode>>();
  const waits = new Map<string, Step>();
  const child = (of: FlameNode, step: Step): FlameNode => {
    let known = index.get(of);
    if (!known) index.set(of, (known = new Map<string, FlameNode>()));
    let next = known.get(step.key);
    if (!next) {
      next = node(step, of);
      known.set(step.key, next);
      of.children.push(next);
    }
    return next;
  };
  const waitOf = (wait: string): Step => {
    let step = waits.get(wait);
    if (!step) waits.set(wait, (step = stepOf({ function: wait }, `[${wait}]`)));
    return step;
  };
  for (const g of groups) {
    const before = g.before ?? 0;
    let at = root;
    const count = () => {
      at.count += g.count;
      at.before += before;
    };
    const enter = (step: Step) => {
      at = child(at, step);
      count();
    };
    count();
    if (order === "creator" && g.createdBy) enter(kept(creatorSteps, g.createdBy, "made at "));
    for (let i = g.stack.length - 1; i >= 0; i--) enter(kept(frameSteps, g.stack[i] as Place, ""));
    // What it waits for is on top of where it waits.
    if (g.wait) enter(waitOf(g.wait));
    at.self += g.count;
  }
  // Without recursion: a stack may be as deep as it likes.
  const todo = [root];
  for (let n = todo.pop(); n; n = todo.pop()) {
    n.children.sort((a, b) => weight(b) - weight(a) || (a.key < b.key ? -1 : 1));
    for (const c of n.children) todo.push(c);
  }
  return root;
}

export interface Box {
  node: FlameNode;
  left: number; // share of the whole width, 0 to 1
  width: number;
  row: number;
}

/** Boxes beside each other that are too narrow to be met, together. */
export interface Rest {
  boxes: number;
  count: number;
  before: number;
  left: number;
  width: number;
  row: number;
}

const kNarrowest = 0.002; // share of the width: three pixels of a window; below that nothing can be met
const kMostBoxes = 4000;

/** What is drawn when `focus` has the whole width: it, those it came by, and what is above it. */
export function layout(focus: FlameNode): { boxes: Box[]; rests: Rest[] } {
  const boxes: Box[] = [];
  const rests: Rest[] = [];
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
      // The widest come first, so that what is too narrow stands together at the end.
      const rest: Rest = { boxes: 0, count: 0, before: 0, left: box.left, width: 0, row: box.row + 1 };
      for (const c of box.node.children) {
        const width = all > 0 ? (box.width * weight(c)) / all : 0;
        if (width >= kNarrowest) {
          next.push({ node: c, left: rest.left, width, row: c.depth });
          rest.left += width;
        } else {
          rest.boxes++;
          rest.count += c.count;
          rest.before += c.before;
          rest.width += width;
        }
      }
      if (rest.width >= kNarrowest) rests.push(rest);
    }
    boxes.push(...next.slice(0, kMostBoxes - boxes.length));
    level = next;
  }
  return { boxes, rests };
}

/** Names a node in an address. */
export function pathId(n: FlameNode): string {
  return n.parent ? n.hash.toString(36) : "";
}

export function findPath(root: FlameNode, id: string): FlameNode | null {
  if (id === "") return root;
  const hash = Number.parseInt(id, 36);
  const todo = [root];
  while (todo.length > 0) {
    const n = todo.pop() as FlameNode;
    if (n.hash === hash && pathId(n) === id) return n;
    for (const c of n.children) todo.push(c);
  }
  return null;
}

/** "a;b;c 12" lines, which other flame graph programs read. */
export function folded(root: FlameNode): string {
  const lines: string[] = [];
  const todo = [root];
  for (let n = todo.pop(); n; n = todo.pop()) {
    if (n.self > 0) {
      const path: string[] = [];
      for (let at = n; at.parent; at = at.parent) path.unshift(at.title.replaceAll(";", ":").replaceAll("\n", " "));
      lines.push(`${path.join(";")} ${n.self}`);
    }
    for (let i = n.children.length; i-- > 0; ) todo.push(n.children[i] as FlameNode);
  }
  return `${lines.join("\n")}\n`;
}
