// Flame graph: where goroutines are, by stack or by who made them.
import { flameOf, findPath, folded, type FlameNode, type Order, pathId } from "../model/flame";
import { type Route, withParams } from "../state/route";
import { button, copyButton, fill, h } from "../ui/dom";
import { FlameGraph } from "../ui/flame_graph";
import { profileButton } from "../ui/parts";
import { Choosing } from "./choosing";
import type { Context, View } from "./view";

export class FlameView implements View {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly choosing: Choosing;
  private readonly note = h("p", { class: "quiet" });
  private readonly order = h("div", { class: "switch", role: "group", "aria-label": "Order" });
  private readonly graph: FlameGraph;
  private root: FlameNode | null = null;

  constructor(private readonly context: Context) {
    this.choosing = new Choosing(context, () => this.draw());
    const { filter, total, when, trouble } = this.choosing;
    this.search = filter.search;
    this.graph = new FlameGraph({
      label: "Flame graph of goroutines",
      isDifference: false,
      zoom: (n) => this.go({ at: pathId(n) || undefined }),
    });
    this.element = h(
      "div",
      { class: "flame-view" },
      h("h1", { class: "unseen" }, "Flame graph"),
      filter.element,
      h(
        "div",
        { class: "bar-line" },
        total,
        when,
        this.order,
        button("Look anew", () => this.refresh()),
        copyButton("Copy as folded stacks", () => (this.root ? folded(this.root) : "")),
        profileButton(context.client, () => this.choosing.route, trouble),
      ),
      trouble,
      this.graph.element,
      this.note,
    );
  }

  show(route: Route): void {
    this.choosing.show(route);
  }

  refresh(): void {
    this.choosing.refresh();
  }

  close(): void {
    this.choosing.close();
  }

  private go(changes: Record<string, string | undefined>, replace = false): void {
    const { route } = this.choosing;
    if (route) this.context.go(withParams(route, changes), replace);
  }

  private draw(): void {
    const shown = this.choosing.draw();
    const params = this.choosing.route?.params;
    if (!shown || !params) return;
    const by: Order = params.get("by") === "creator" ? "creator" : "stack";
    fill(
      this.order,
      (["stack", "creator"] as const).map((o) =>
        button(o === "stack" ? "By stack" : "By creator", () => this.go({ by: o === "stack" ? undefined : o, at: undefined }, true), {
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
