// Draws a tree of stacks, the outermost frame at the top. Boxes are elements placed by shares of the
// width; only one of them is in the order of the Tab key, the arrows go on from there.
import { count, shortened, signed, wholePlace } from "../model/format";
import { type Box, type FlameNode, layout, type Rest, weight } from "../model/flame";
import { fill, h, setText } from "./dom";

const kRow = 22; // px, as in style.css
const kCharacter = 7.2; // px: how wide one is, about
const kReadable = 20; // px of a box, below which there is no text in it
const kTints = 6;

function tint(n: FlameNode): string {
  // By where the function is from: the file's directory, else the name up to the first ::.
  const from = n.place?.file?.split("/").slice(0, -1).join("/") ?? n.title.split("::")[0] ?? "";
  let hash = 0;
  for (const c of from) hash = (hash * 31 + (c.codePointAt(0) ?? 0)) % 9973;
  return `tint-${hash % kTints}`;
}

/** Grown or shrunk, and how much of it: five steps. */
export function changeClass(n: FlameNode): string {
  const delta = n.count - n.before;
  if (delta === 0) return "same";
  const share = Math.abs(delta) / Math.max(weight(n), 1);
  return `${delta > 0 ? "grown" : "shrunk"}-${Math.min(4, Math.max(1, Math.ceil(share * 4)))}`;
}

export class FlameGraph {
  readonly element: HTMLElement;
  private readonly boxesElement = h("div", { class: "flame-boxes" });
  private readonly info = h("p", { class: "flame-info", role: "status" });
  private boxes: { box: Box; element: HTMLElement }[] = [];
  private root: FlameNode | null = null;
  private current = 0;

  constructor(
    private readonly options: {
      label: string;
      isDifference: boolean;
      zoom: (n: FlameNode) => void;
    },
  ) {
    this.boxesElement.setAttribute("role", "group");
    this.boxesElement.setAttribute("aria-label", options.label);
    this.boxesElement.addEventListener("click", (e) => this.onClick(e));
    this.boxesElement.addEventListener("keydown", (e) => this.onKey(e));
    this.boxesElement.addEventListener("mouseover", (e) => this.onPoint(e));
    this.boxesElement.addEventListener("focusin", (e) => this.onPoint(e));
    this.element = h("div", { class: "flame" }, this.info, this.boxesElement);
  }

  show(root: FlameNode, focus: FlameNode): void {
    this.root = root;
    const hadFocus = this.boxesElement.contains(document.activeElement);
    const { boxes, rests } = layout(focus);
    const rows = [...boxes, ...rests].reduce((most, b) => Math.max(most, b.row), 0) + 1;
    this.boxesElement.style.setProperty("height", `${rows * kRow}px`);
    this.boxes = boxes.map((box) => ({ box, element: this.element_(box, focus) }));
    fill(this.boxesElement, this.boxes.map((b) => b.element), rests.map((r) => this.rest(r)));
    this.current = Math.max(0, this.boxes.findIndex((b) => b.box.node === focus));
    this.boxes[this.current]?.element.setAttribute("tabindex", "0");
    if (hadFocus) this.boxes[this.current]?.element.focus();
    this.tell(focus);
  }

  private element_(box: Box, focus: FlameNode): HTMLElement {
    const n = box.node;
    const isAncestor = n.depth < focus.depth;
    const isNarrow = box.width * this.boxesElement.clientWidth < kReadable;
    const kind = this.options.isDifference ? changeClass(n) : n.parent ? (n.title.startsWith("[") ? "wait" : tint(n)) : "root";
    return h(
      "button",
      {
        type: "button",
        tabindex: "-1",
        class: `box ${kind}${isAncestor ? " ancestor" : ""}`,
        // What is too narrow for a text has a name all the same; the others get theirs when they are met.
        "aria-label": isNarrow ? this.text(n) : undefined,
        style: this.place(box),
      },
      isNarrow ? null : this.label(n, box.width),
    );
  }

  private place(at: Pick<Box, "left" | "width" | "row">): Record<string, string> {
    return { left: `${at.left * 100}%`, width: `${at.width * 100}%`, top: `${at.row * kRow}px` };
  }

  private rest(r: Rest): HTMLElement {
    const number = this.options.isDifference ? `${signed(r.count - r.before)}: ${count(r.before)} to ${count(r.count)}` : count(r.count);
    const text = `${count(r.boxes)} narrower ones: ${number}`;
    return h("span", { class: "box rest", title: text, style: this.place(r) }, text);
  }

  private label(n: FlameNode, share: number): string {
    const delta = this.options.isDifference && n.count !== n.before ? `${signed(n.count - n.before)} ` : "";
    const characters = Math.floor((share * this.boxesElement.clientWidth - 8) / kCharacter);
    if (!n.place?.file) return delta + n.title; // a wait reason, or all
    const before = delta + (n.title === n.place.function ? "" : "by ");
    return before + shortened(n.place.function, characters - before.length);
  }

  private text(n: FlameNode): string {
    const total = this.root ? Math.max(1, this.root.count) : 1;
    const where = n.place ? wholePlace(n.place) : "";
    const numbers = this.options.isDifference
      ? `${signed(n.count - n.before)}: ${count(n.before)} to ${count(n.count)}`
      : `${count(n.count)} (${((100 * n.count) / total).toFixed(1)} %)`;
    return `${n.title}${where ? ` ${where}` : ""}: ${numbers}`;
  }

  private tell(n: FlameNode): void {
    setText(this.info, this.text(n));
  }

  private indexOf(e: Event): number {
    const target = (e.target as Element).closest(".box");
    return this.boxes.findIndex((b) => b.element === target);
  }

  private onPoint(e: Event): void {
    const at = this.boxes[this.indexOf(e)];
    if (!at) return;
    this.tell(at.box.node);
    at.element.setAttribute("aria-label", this.text(at.box.node));
  }

  private onClick(e: Event): void {
    const at = this.boxes[this.indexOf(e)];
    if (at) this.options.zoom(at.box.node);
  }

  private move(to: number): void {
    const next = this.boxes[to];
    if (!next) return;
    this.boxes[this.current]?.element.setAttribute("tabindex", "-1");
    this.current = to;
    next.element.setAttribute("tabindex", "0");
    next.element.focus();
  }

  private onKey(e: KeyboardEvent): void {
    const at = this.indexOf(e);
    const node = this.boxes[at]?.box.node;
    if (!node) return;
    this.current = at;
    const siblings = node.parent?.children ?? [];
    const beside = (by: number) => siblings[siblings.indexOf(node) + by];
    const to: Record<string, FlameNode | undefined | null> = {
      ArrowUp: node.parent,
      ArrowDown: node.children[0],
      ArrowLeft: beside(-1),
      ArrowRight: beside(1),
    };
    if (e.key in to) {
      e.preventDefault();
      this.move(this.boxes.findIndex((b) => b.box.node === to[e.key]));
    } else if (e.key === "Escape" && this.root) {
      e.preventDefault();
      this.options.zoom(this.root);
    }
  }
}
