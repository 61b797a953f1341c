// What the views that show groups have in common: who is asked for, how many that are, when they
// were seen, and what has gone wrong.
import { ago, count } from "../model/format";
import { filterOf, type Group, sum } from "../model/groups";
import { Chosen } from "../state/chosen";
import type { Route } from "../state/route";
import { fill, h, setText } from "../ui/dom";
import { FilterBar } from "../ui/filter_bar";
import { loading, troubleBox } from "../ui/parts";
import type { Context } from "./view";

export class Choosing {
  readonly filter: FilterBar;
  readonly total = h("p", { class: "total", role: "status" });
  readonly when = h("span", { class: "quiet" });
  readonly trouble = h("div");
  route: Route | null = null;
  private readonly chosen: Chosen;
  private readonly clock = setInterval(() => this.showWhen(), 1000);

  /** `draw` is called whenever there is something new to see. */
  constructor(context: Context, draw: () => void) {
    this.chosen = new Chosen(context.groups, draw, (e) => fill(this.trouble, troubleBox(e, () => this.refresh())));
    this.filter = new FilterBar(context.go);
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

  /** Null: not known yet. */
  groups(): Group[] | null {
    return this.route && this.chosen.groups(filterOf(this.route.params));
  }

  /** The groups to draw, with all that is said about them; null: none yet. */
  draw(): Group[] | null {
    const { all } = this.chosen;
    if (!all || !this.route) return null;
    this.filter.show(this.route, all.groups);
    this.showWhen();
    const shown = this.groups();
    if (!shown) {
      setText(this.total, "Searching…");
      return null;
    }
    fill(this.trouble);
    setText(this.total, totalText(sum(shown), sum(all.groups), shown.length));
    return shown;
  }

  private showWhen(): void {
    if (this.chosen.all) setText(this.when, `seen ${ago(Date.now() - this.chosen.all.seenAt)}`);
  }
}

/** "12 of 345 goroutines in 6 groups" */
function totalText(shown: number, all: number, groups: number): string {
  const of = shown === all ? "" : ` of ${count(all)}`;
  return `${count(shown)}${of} goroutines in ${count(groups)} ${groups === 1 ? "group" : "groups"}`;
}
