// Call graph and wait graph: drawn by the endpoint, moved and zoomed here.
import type { GroupsJson } from "../api/types";
import { decodeGroups, filterOf, serverFilter, type Groups } from "../model/groups";
import { type Route, withParams } from "../state/route";
import { button, copyButton, fill, h, save } from "../ui/dom";
import { FilterBar } from "../ui/filter_bar";
import { loading, troubleBox } from "../ui/parts";
import { PanZoom, queryOfTip, safeSvg } from "../ui/svg_graph";
import type { Context, View } from "./view";

const kTypingPause = 300; // ms: each letter would cost a capture and a picture

export class GraphView implements View {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly filter: FilterBar;
  private readonly trouble = h("div");
  private readonly note = h("p", { class: "quiet" });
  private readonly box: HTMLElement;
  private readonly pan: PanZoom;
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private groups: Groups | null = null;
  private route: Route | null = null;
  private asked = "";
  private picture = "";

  constructor(
    private readonly context: Context,
    private readonly kind: "calls" | "waits",
  ) {
    this.filter = new FilterBar(context.go, { ages: false });
    this.search = this.filter.search;
    const title = kind === "calls" ? "Call graph" : "Wait graph";
    this.box = h("div", { class: "graph-box", tabindex: "0", role: "application", "aria-label": `${title}: arrow keys move, plus and minus zoom, 0 shows all. The same in words: Copy as text.` });
    this.pan = new PanZoom(this.box, (tip) => {
      const q = queryOfTip(tip);
      if (q && this.route) context.go(withParams(this.route, { q }));
    });
    this.element = h(
      "div",
      { class: "graph-view" },
      h("h1", { class: "unseen" }, title),
      this.filter.element,
      h(
        "div",
        { class: "bar-line" },
        h("span", { class: "switch", role: "group", "aria-label": "Zoom" },
          button("−", () => this.pan.zoom(0.8), { "aria-label": "Smaller" }),
          button("+", () => this.pan.zoom(1.25), { "aria-label": "Larger" }),
          button("All", () => this.pan.fit())),
        button("Look anew", () => this.refresh()),
        kind === "waits" ? copyButton("Copy as text", () => context.client.text("graph", { ...this.params(), format: "text" })) : null,
        button("Save as SVG", () => this.picture && save(new Blob([this.picture], { type: "image/svg+xml" }), `${kind}.svg`)),
        this.note,
      ),
      this.trouble,
      this.box,
    );
  }

  private params() {
    return { kind: this.kind, ...serverFilter(filterOf(this.route?.params ?? new URLSearchParams()), this.groups?.groups ?? []) };
  }

  show(route: Route): void {
    const first = this.route === null;
    this.route = route;
    this.filter.show(route, this.groups?.groups ?? []);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.load(false), first ? 0 : kTypingPause);
  }

  refresh(): void {
    void this.load(true);
  }

  close(): void {
    clearTimeout(this.timer);
    this.abort.abort(new DOMException("closed", "AbortError"));
  }

  private async load(anew: boolean): Promise<void> {
    this.abort.abort(new DOMException("another one", "AbortError"));
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      if (!this.groups || anew) {
        fill(this.trouble, loading("Looking at all goroutines…"));
        const j = await this.context.client.json<GroupsJson>("goroutine", { format: "groups" }, signal);
        this.groups = decodeGroups(j);
        if (this.route) this.filter.show(this.route, this.groups.groups);
      }
      const asked = JSON.stringify(this.params());
      if (asked === this.asked && !anew) return fill(this.trouble);
      fill(this.trouble, loading("Drawing…"));
      const text = await this.context.client.text("graph", { ...this.params(), format: "svg" }, signal);
      this.asked = asked;
      this.picture = text;
      this.pan.show(safeSvg(text));
      fill(this.trouble);
      fill(this.note, this.kind === "calls" ? "Boxes are functions, larger where more goroutines are; arrows are calls. Click a box to see its goroutines alone." : "Boxes wait for diamonds, which boxes hold. Red can never go on. Click a box to see it alone.");
    } catch (e) {
      this.asked = "";
      const box = troubleBox(e, () => this.refresh());
      if (box) fill(this.trouble, box);
    }
  }
}
