// Call graph and wait graph: drawn by the endpoint, moved and zoomed here.
import { filterOf, type Groups, serverFilter } from "../model/groups";
import { type Route, withParams } from "../state/route";
import { button, copyButton, fill, h } from "../ui/dom";
import { FilterBar } from "../ui/filter_bar";
import { loading, troubleBox } from "../ui/parts";
import { Picture } from "../ui/picture";
import { queryOfTip } from "../ui/svg_graph";
import type { Context, View } from "./view";

const kTypingPause = 300; // ms: each letter would cost a capture and a picture
const kNotes = {
  calls: "Boxes are functions, larger where more goroutines are; arrows are calls. Click a box to see its goroutines alone.",
  waits: "Boxes wait for diamonds, which boxes hold. Red can never go on. Click a box to see it alone.",
};

export class GraphView implements View {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly filter: FilterBar;
  private readonly trouble = h("div");
  private readonly note = h("p", { class: "quiet" });
  private readonly picture: Picture;
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private groups: Groups | null = null;
  private route: Route | null = null;
  private shown = ""; // what the picture is of

  constructor(
    private readonly context: Context,
    private readonly kind: "calls" | "waits",
  ) {
    this.filter = new FilterBar(context.go);
    this.search = this.filter.search;
    const title = kind === "calls" ? "Call graph" : "Wait graph";
    this.picture = new Picture(title, `${kind}.svg`, (tip) => {
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
        this.picture.tools,
        button("Look anew", () => this.refresh()),
        copyButton("Copy as text", () => (kind === "waits" ? context.client.text("graph", { ...this.params(), format: "text" }) : context.client.text("goroutine", { ...this.params(), debug: 1 }))),
        this.note,
      ),
      this.trouble,
      this.picture.box,
    );
  }

  private params() {
    return { kind: this.kind, ...serverFilter(filterOf(this.route?.params ?? new URLSearchParams())) };
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
    const asked = JSON.stringify(this.params());
    this.abort.abort(new DOMException("another one", "AbortError"));
    if (asked === this.shown && !anew) return fill(this.trouble);
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      fill(this.trouble, loading("Drawing…"));
      const text = await this.context.client.text("graph", { ...this.params(), format: "svg" }, signal);
      this.shown = asked;
      await this.picture.show(text);
      fill(this.trouble);
      fill(this.note, kNotes[this.kind]);
      // What one can choose from comes after the picture, which is what was asked for.
      this.groups = await this.context.groups.load(anew, signal);
      if (this.route) this.filter.show(this.route, this.groups.groups);
    } catch (e) {
      this.shown = "";
      const box = troubleBox(e, () => this.refresh());
      if (box) fill(this.trouble, box);
    }
  }
}
