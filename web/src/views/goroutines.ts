// Goroutines: groups that look the same, most of them first; each with its stack and its members.
import type { SnapshotJson } from "../api/types";
import { bytes, compact, count, duration, goroutines, perMinute, shortPlace } from "../model/format";
import { type Group, groupText } from "../model/groups";
import { linkTo, type Route, withParams } from "../state/route";
import { button, copyButton, fill, h } from "../ui/dom";
import { loading, placeLine, profileButton, stackList, troubleBox } from "../ui/parts";
import { VirtualTable } from "../ui/virtual";
import { Choosing } from "./choosing";
import type { Context, View } from "./view";

const kMembers = 100;
const kMostCopied = 1000;
const kSorts = ["count", "growth", "oldest", "wait", "where", "creator"];

export function sorted(groups: Group[], by: string, growth: (site: string) => number | undefined): Group[] {
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const where = (g: Group) => g.blockedAt?.function ?? g.stack[0]?.function ?? "";
  const compare: Record<string, (a: Group, b: Group) => number> = {
    count: (a, b) => b.count - a.count,
    growth: (a, b) => (growth(b.site) ?? 0) - (growth(a.site) ?? 0) || b.count - a.count,
    oldest: (a, b) => b.oldestNs - a.oldestNs,
    wait: (a, b) => order(a.wait, b.wait) || b.count - a.count,
    where: (a, b) => order(where(a), where(b)),
    creator: (a, b) => order(a.createdBy?.function ?? "", b.createdBy?.function ?? "") || b.count - a.count,
  };
  return [...groups].sort(compare[by] ?? compare["count"]);
}

export class GoroutinesView implements View {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly choosing: Choosing;
  private readonly table: VirtualTable<Group>;
  private readonly details = h("section", { class: "group-details", "aria-label": "The chosen group", tabindex: "-1" });
  private members = new AbortController();
  private shownGroup: Group | undefined;
  private readonly onSeries = () => this.draw();

  constructor(private readonly context: Context) {
    this.choosing = new Choosing(context, () => this.draw());
    const { filter, total, when, trouble } = this.choosing;
    this.search = filter.search;
    const growth = (g: Group) => context.live.growth(g.site);
    this.table = new VirtualTable<Group>({
      label: "Groups of goroutines",
      columns: [
        { name: "count", title: "Count", class: "c-count number", sort: true, cell: (g) => count(g.count) },
        {
          name: "growth", title: "Growth", class: "c-growth number", sort: true,
          cell: (g) => h("span", { class: (growth(g) ?? 0) > 0.05 ? "grows" : "quiet" }, perMinute(growth(g))),
        },
        { name: "oldest", title: "Oldest", class: "c-oldest number", sort: true, cell: (g) => duration(g.oldestNs) },
        { name: "wait", title: "Waits for", class: "c-wait", sort: true, cell: (g) => g.wait },
        { name: "where", title: "Where", class: "c-where", sort: true, cell: (g) => placeLine(g.blockedAt ?? g.stack[0]) },
        { name: "creator", title: "Made at", class: "c-creator", sort: true, cell: (g) => placeLine(g.createdBy) },
      ],
      key: (g) => g.id,
      text: (g) =>
        `${goroutines(g.count)}, ${g.wait}, in ${g.blockedAt?.function ?? "an unknown place"} ${shortPlace(g.blockedAt)}${g.oldestNs >= 0 ? `, oldest ${duration(g.oldestNs)}` : ""}`,
      open: (g) => this.go({ group: g.id }),
      onSort: (name) => this.go({ sort: name === "count" ? undefined : name }),
    });
    this.element = h(
      "div",
      { class: "goroutines" },
      h("h1", { class: "unseen" }, "Goroutines"),
      filter.element,
      h(
        "div",
        { class: "bar-line" },
        total,
        when,
        button("Look anew", () => this.refresh()),
        copyButton("Copy as text", () => this.text()),
        profileButton(context.client, () => this.choosing.route, trouble),
      ),
      trouble,
      h("div", { class: "split" }, this.table.element, this.details),
    );
    context.live.addEventListener("series", this.onSeries);
  }

  show(route: Route): void {
    this.choosing.show(route);
  }

  refresh(): void {
    this.choosing.refresh();
  }

  close(): void {
    this.choosing.close();
    this.members.abort(new DOMException("closed", "AbortError"));
    this.context.live.removeEventListener("series", this.onSeries);
  }

  private go(changes: Record<string, string | undefined>): void {
    const { route } = this.choosing;
    if (route) this.context.go(withParams(route, changes), true);
  }

  private param(name: string): string | null {
    return this.choosing.route?.params.get(name) ?? null;
  }

  private inOrder(groups: Group[]): Group[] {
    const by = this.param("sort") ?? "count";
    return sorted(groups, kSorts.includes(by) ? by : "count", (s) => this.context.live.growth(s));
  }

  private draw(): void {
    const groups = this.choosing.draw();
    if (!groups) return;
    const rows = this.inOrder(groups);
    const chosen = this.param("group") ?? "";
    this.table.setSort(this.param("sort") ?? "count");
    this.table.show(rows, chosen);
    const group = rows.find((g) => g.id === chosen) ?? (rows.length === 1 ? rows[0] : undefined);
    this.element.classList.toggle("has-details", !!group);
    if (group && group === this.shownGroup) return;
    this.shownGroup = group;
    if (group) return this.showGroup(group);
    this.members.abort(new DOMException("no group", "AbortError"));
    const why = rows.length === 0 ? "No goroutine is like that." : chosen ? "The group of the address is not among these." : "Choose a group to see its stack and its goroutines.";
    fill(this.details, h("p", { class: "quiet" }, why));
  }

  private showGroup(g: Group): void {
    const list = h("div", { class: "members" }, loading("Asking for its goroutines…"));
    fill(
      this.details,
      h("h2", {}, `${goroutines(g.count)} `, h("span", { class: "wait" }, g.wait)),
      h(
        "div",
        { class: "actions" },
        copyButton("Copy", () => groupText(g)),
        h("a", { class: "button", href: linkTo("flame", { site: g.site }) }, "Flame graph"),
        h("a", { class: "button", href: linkTo("waits", { site: g.site }) }, "Wait graph"),
        h("a", { class: "button", href: linkTo("compare", { site: g.site }) }, "What changed"),
      ),
      g.labels.length > 0
        ? h("p", { class: "labels" }, g.labels.map(([k, v]) => h("a", { class: "chip", href: linkTo("goroutines", { label: `${k}=${v}` }) }, `${k}=${v}`)))
        : null,
      h("h3", {}, "Stack"),
      stackList(g.stack),
      h("h3", {}, "Made at"),
      placeLine(g.createdBy),
      h("h3", {}, g.count > kMembers ? `The ${kMembers} that have waited longest` : "Its goroutines"),
      list,
    );
    this.loadMembers(g, list);
  }

  private loadMembers(g: Group, list: HTMLElement): void {
    this.members.abort(new DOMException("another group", "AbortError"));
    this.members = new AbortController();
    this.context.client
      .json<SnapshotJson>("goroutine", { format: "json", group: g.id, limit: kMembers }, this.members.signal)
      .then(
        (s) => fill(list, memberTable(s)),
        (e: unknown) => fill(list, troubleBox(e, () => this.loadMembers(g, list))),
      );
  }

  private text(): string {
    const all = this.inOrder(this.choosing.groups() ?? []);
    const more = all.length - kMostCopied;
    return all.slice(0, kMostCopied).map(groupText).join("\n") + (more > 0 ? `\n(and ${count(more)} groups more)\n` : "");
  }
}

function memberTable(s: SnapshotJson): HTMLElement {
  const rows = s.groups.flatMap((g) => g.members).sort((a, b) => b.since_ns - a.since_ns);
  return h(
    "table",
    {},
    h(
      "thead",
      {},
      h("tr", {}, ["Goroutine", "Since", "Stack", "Made by"].map((t, i) => h("th", { scope: "col", class: i === 1 || i === 2 ? "number" : "" }, t))),
    ),
    h(
      "tbody",
      {},
      rows.map((m) =>
        h(
          "tr",
          {},
          h("td", {}, h("a", { href: linkTo("goroutine", { id: String(m.goid) }) }, String(m.goid)), m.name ? ` ${s.strings[m.name] ?? ""}` : ""),
          h("td", { class: "number" }, m.since_ns >= 0 ? duration(m.since_ns) : ""),
          h("td", { class: "number", title: m.stack_bytes ? bytes(m.stack_bytes) : "" }, m.stack_bytes ? `${compact(m.stack_bytes / 1024)} KiB` : ""),
          h("td", {}, m.parent_goid ? h("a", { href: linkTo("goroutine", { id: String(m.parent_goid) }) }, String(m.parent_goid)) : ""),
        ),
      ),
    ),
  );
}
