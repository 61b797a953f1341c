// Flame graph: where goroutines are, by stack or by who made them.
import { flameOf, findPath, folded, type FlameNode, type Order, pathId } from "../model/flame";
import { ago } from "../model/format";
import { filterOf, sum } from "../model/groups";
import { Chosen } from "../state/chosen";
import { type Route, withParams } from "../state/route";
import { button, copyButton, fill, h, setText } from "../ui/dom";
import { FilterBar, showTotal } from "../ui/filter_bar";
import { FlameGraph } from "../ui/flame_graph";
import { loading, profileButton, troubleBox } from "../ui/parts";
import type { Context, View } from "./view";

export class FlameView implements View {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly filter: FilterBar;
  private readonly total = h("p", { class: "total", role: "status" });
  private readonly trouble = h("div");
  private readonly note = h("p", { class: "quiet" });
  private readonly order = h("div", { class: "switch", role: "group", "aria-label": "Order" });
  private readonly graph: FlameGraph;
  private readonly chosen: Chosen;
  private readonly when = h("span", { class: "quiet" });
  private readonly clock = setInterval(() => this.showWhen(), 1000);
  private root: FlameNode | null = null;
  private route: Route | null = null;

  constructor(private readonly context: Context) {
    this.chosen = new Chosen(
      context.groups,
      () => this.draw(),
      (e) => fill(this.trouble, troubleBox(e, () => this.refresh())),
    );
    this.filter = new FilterBar(context.go);
    this.search = this.filter.search;
    this.graph = new FlameGraph({
      label: "Flame graph of goroutines",
      isDifference: false,
      zoom: (n) => this.route && context.go(withParams(this.route, { at: pathId(n) || undefined })),
    });
    this.element = h(
      "div",
      { class: "flame-view" },
      h("h1", { class: "unseen" }, "Flame graph"),
      this.filter.element,
      h(
        "div",
        { class: "bar-line" },
        this.total,
        this.when,
        this.order,
        button("Look anew", () => this.refresh()),
        copyButton("Copy as folded stacks", () => (this.root ? folded(this.root) : "")),
        profileButton(context.client, () => this.route, this.trouble),
      ),
      this.trouble,
      this.graph.element,
      this.note,
    );
  }

  show(route: Route): void {
    this.route = route;
    if (!this.chosen.all) fill(this.trouble, loading("Looking at all goroutines…"));
    this.chosen.show(filterOf(route.params));
  }

  refresh(): void {
    void this.chosen.load(true);
  }

  close(): void {
    this.chosen.cancel();
    clearInterval(this.clock);
  }

  private showWhen(): void {
    if (this.chosen.all) setText(this.when, `seen ${ago(Date.now() - this.chosen.all.seenAt)}`);
  }

  private draw(): void {
    const { all } = this.chosen;
    if (!all || !this.route) return;
    const { params } = this.route;
    this.filter.show(this.route, all.groups);
    this.showWhen();
    const shown = this.chosen.groups(filterOf(params));
    if (!shown) {
      setText(this.total, "Searching…");
      return;
    }
    fill(this.trouble);
    const by: Order = params.get("by") === "creator" ? "creator" : "stack";
    showTotal(this.total, sum(shown), sum(all.groups), shown.length);
    fill(
      this.order,
      (["stack", "creator"] as const).map((o) =>
        button(o === "stack" ? "By stack" : "By creator", () => this.route && this.context.go(withParams(this.route, { by: o === "stack" ? undefined : o, at: undefined }), true), {
          "aria-pressed": String(o === by),
        }),
      ),
    );
    this.root = flameOf(shown, by);
    const at = params.get("at") ?? "";
    const focus = findPath(this.root, at) ?? this.root;
    this.graph.show(this.root, focus);
    fill(this.note, shown.length === 0 ? "No goroutine is like that." : "The outermost function is at the top; a box is as wide as it has goroutines. Click to zoom, Escape to see all again.");
  }
}
