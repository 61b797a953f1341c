// A picture that the endpoint has drawn, as elements of the page: only what Graphviz draws is taken
// over, element by element, attribute by attribute. No links, scripts, styles or references.

const kSvg = "http://www.w3.org/2000/svg";
const kElements = new Set(["svg", "g", "path", "polygon", "polyline", "ellipse", "text", "title"]);
const kAttributes = new Set([
  "viewBox", "class", "transform", "d", "points", "x", "y", "cx", "cy", "rx", "ry", "fill", "stroke",
  "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "font-style",
  "text-anchor", "fill-opacity", "stroke-opacity",
]);
const kMostElements = 60_000;

// Chromium's Trusted Types: the one place that hands a text to a parser. What comes out of it is only
// read, and never put into the page.
interface TypesFactory {
  createPolicy(name: string, rules: { createHTML: (s: string) => string }): { createHTML(s: string): string };
}
const types = (globalThis as { trustedTypes?: TypesFactory }).trustedTypes;
const policy = types?.createPolicy("weir-svg", { createHTML: (s) => s });

export function parseSvg(text: string): Document {
  return new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "image/svg+xml");
}

/** A picture of the endpoint on its way into the page. */
export class SafeSvg {
  readonly picture = document.createElementNS(kSvg, "svg") as SVGSVGElement;
  private readonly steps: Generator<void>;
  private left = kMostElements;

  /** Throws where it is no picture. */
  constructor(text: string) {
    const root = parseSvg(text).documentElement;
    if (root.localName !== "svg" || root.namespaceURI !== kSvg) throw new Error("the picture cannot be read");
    this.steps = this.copy(root, this.picture);
    this.steps.next(); // its own attributes
  }

  /** Takes elements over until `mayGoOn` says no; true: that was all. */
  take(mayGoOn: () => boolean = () => true): boolean {
    do if (this.steps.next().done) return true;
    while (mayGoOn());
    return false;
  }

  /** Whether there was more than is shown. */
  get isCut(): boolean {
    return this.left < 0;
  }

  private *copy(from: Element, to: Element): Generator<void> {
    for (const { name, value } of Array.from(from.attributes)) {
      if (kAttributes.has(name) && !/url\s*\(/i.test(value)) to.setAttribute(name, value);
    }
    // What Graphviz puts into links is what a pointer is told.
    const tip = from.getAttribute("xlink:title")?.trim();
    if (tip && !to.hasAttribute("data-tip")) {
      to.setAttribute("data-tip", tip);
      const title = document.createElementNS(kSvg, "title");
      title.textContent = tip;
      to.prepend(title);
      if (queryOfTip(tip)) {
        to.setAttribute("tabindex", "0");
        to.setAttribute("role", "button");
      }
    }
    yield;
    for (const child of Array.from(from.childNodes)) {
      if (child.nodeType === Node.TEXT_NODE) {
        if (from.localName === "text") to.append(document.createTextNode(child.nodeValue ?? ""));
        continue;
      }
      if (!(child instanceof Element) || child.namespaceURI !== kSvg) continue;
      if (--this.left < 0) return;
      if (child.localName === "a") {
        yield* this.copy(child, to);
      } else if (child.localName !== "title" && kElements.has(child.localName)) {
        const next = document.createElementNS(kSvg, child.localName);
        to.append(next);
        yield* this.copy(child, next);
      }
    }
  }
}

/** What to search for when a node was clicked: its function or its place; "": nothing. */
export function queryOfTip(tip: string): string {
  const lines = tip.split("\n");
  const first = lines[0] ?? "";
  if (/^goroutines? \d/.test(first)) {
    const place = (lines[1] ?? "").split(" ").pop() ?? "";
    return /:\d+$/.test(place) ? place : "";
  }
  const named = /^(.+) \(-?\d+\)$/.exec(first);
  return lines.length > 1 && named ? (named[1] as string) : "";
}

/** Moves and zooms: by pointer, wheel, two fingers, keys. */
export class PanZoom {
  private x = 0;
  private y = 0;
  private scale = 1;
  private readonly pointers = new Map<number, { x: number; y: number }>();
  private moved = 0;
  private whole = { x: 0, y: 0, width: 1, height: 1 };

  constructor(
    private readonly box: HTMLElement,
    private readonly onPick: (tip: string) => void,
  ) {
    box.addEventListener("wheel", (e) => this.onWheel(e), { passive: false });
    box.addEventListener("pointerdown", (e) => this.onDown(e));
    box.addEventListener("pointermove", (e) => this.onMove(e));
    box.addEventListener("pointerup", (e) => this.onUp(e));
    box.addEventListener("pointercancel", (e) => this.pointers.delete(e.pointerId));
    box.addEventListener("keydown", (e) => this.onKey(e));
    box.addEventListener("focusin", (e) => this.bringIntoView(e.target as Element));
  }

  private get picture(): SVGSVGElement | null {
    return this.box.querySelector("svg");
  }

  show(picture: SVGSVGElement): void {
    const [x, y, width, height] = (picture.getAttribute("viewBox") ?? "0 0 100 100").split(/[\s,]+/).map(Number);
    this.whole = { x: x || 0, y: y || 0, width: width || 100, height: height || 100 };
    this.box.replaceChildren(picture);
    this.fit();
  }

  /** All of it, but never so small that nothing can be read. */
  fit(): void {
    const readable = 0.45; // of the drawn size
    const { clientWidth, clientHeight } = this.box;
    const all = Math.min(clientWidth / this.whole.width, clientHeight / this.whole.height);
    this.scale = Math.min(1.5, Math.max(all, readable));
    this.x = this.whole.x + Math.max(0, (this.whole.width - clientWidth / this.scale) / 2);
    this.y = this.whole.y;
    if (all >= readable) {
      this.x = this.whole.x + (this.whole.width - clientWidth / this.scale) / 2;
      this.y = this.whole.y + (this.whole.height - clientHeight / this.scale) / 2;
    }
    this.apply();
  }

  zoom(by: number, atX = this.box.clientWidth / 2, atY = this.box.clientHeight / 2): void {
    const next = Math.min(6, Math.max(0.02, this.scale * by));
    this.x += atX / this.scale - atX / next;
    this.y += atY / this.scale - atY / next;
    this.scale = next;
    this.apply();
  }

  private apply(): void {
    const { clientWidth, clientHeight } = this.box;
    this.picture?.setAttribute("viewBox", `${this.x} ${this.y} ${clientWidth / this.scale} ${clientHeight / this.scale}`);
  }

  private onWheel(e: WheelEvent): void {
    e.preventDefault();
    const at = this.box.getBoundingClientRect();
    this.zoom(Math.exp(-e.deltaY * 0.0015), e.clientX - at.left, e.clientY - at.top);
  }

  private onDown(e: PointerEvent): void {
    this.pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    this.moved = 0;
    this.box.setPointerCapture(e.pointerId);
  }

  private onMove(e: PointerEvent): void {
    const from = this.pointers.get(e.pointerId);
    if (!from) return;
    const dx = e.clientX - from.x;
    const dy = e.clientY - from.y;
    const other = [...this.pointers].find(([id]) => id !== e.pointerId)?.[1];
    if (other) {
      const before = Math.hypot(from.x - other.x, from.y - other.y);
      const after = Math.hypot(e.clientX - other.x, e.clientY - other.y);
      const box = this.box.getBoundingClientRect();
      if (before > 0) this.zoom(after / before, other.x - box.left, other.y - box.top);
    } else {
      this.x -= dx / this.scale;
      this.y -= dy / this.scale;
      this.apply();
    }
    this.moved += Math.abs(dx) + Math.abs(dy);
    this.pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
  }

  private onUp(e: PointerEvent): void {
    this.pointers.delete(e.pointerId);
    if (this.moved > 6) return;
    const tip = document.elementFromPoint(e.clientX, e.clientY)?.closest("[data-tip]")?.getAttribute("data-tip");
    if (tip) this.onPick(tip);
  }

  /** What is reached by the Tab key is in sight. */
  private bringIntoView(node: Element): void {
    if (node === this.box) return;
    this.box.scrollTo(0, 0); // the browser would scroll what cannot be scrolled back
    const at = node.getBoundingClientRect();
    const box = this.box.getBoundingClientRect();
    if (at.left >= box.left && at.right <= box.right && at.top >= box.top && at.bottom <= box.bottom) return;
    this.x += (at.left + at.width / 2 - box.left - box.width / 2) / this.scale;
    this.y += (at.top + at.height / 2 - box.top - box.height / 2) / this.scale;
    this.apply();
  }

  private onKey(e: KeyboardEvent): void {
    const tip = (e.target as Element).getAttribute("data-tip");
    if (tip && (e.key === "Enter" || e.key === " ")) {
      e.preventDefault();
      return this.onPick(tip);
    }
    const step = 60 / this.scale;
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    };
    const move = moves[e.key];
    if (move) {
      this.x += move[0];
      this.y += move[1];
      this.apply();
    } else if (e.key === "+" || e.key === "=") this.zoom(1.25);
    else if (e.key === "-") this.zoom(0.8);
    else if (e.key === "0") this.fit();
    else return;
    e.preventDefault();
  }
}
