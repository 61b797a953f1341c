// Now: what leaks, the most certain first, and what the goroutines wait for.
import type { Finding } from "../api/types";
import { compact, count, duration, goroutines, perMinute, wholePlace } from "../model/format";
import { largestWaits } from "../model/series";
import { linkTo, type Route, withParams } from "../state/route";
import { Chart, kDashes } from "../ui/chart";
import { copyButton, fill, h, setText, svg } from "../ui/dom";
import { certaintyBadge, loading, placeLine, sparkline, stackList } from "../ui/parts";
import type { Context, View } from "./view";

const kRank = { certain: 0, likely: 1, suspect: 2 };
const kLines = 5; // wait reasons in the chart

/** The most certain first, then what grows most, then most goroutines. */
export function byUrgency(a: Finding, b: Finding): number {
  return (
    kRank[a.certainty] - kRank[b.certainty] ||
    Math.round(b.growth_per_minute ?? 0) - Math.round(a.growth_per_minute ?? 0) ||
    b.count - a.count ||
    (a.site < b.site ? -1 : 1)
  );
}

export function findingText(f: Finding): string {
  const lines = [
    `${f.certainty}: ${f.kind}: ${goroutines(f.count)}, ${perMinute(f.growth_per_minute)}`,
    f.cause ?? "",
    `made at ${f.created_by?.function ?? "?"} ${wholePlace(f.created_by)}`,
    `stuck at ${f.blocked_at?.function ?? "?"} ${wholePlace(f.blocked_at)}`,
    ...f.evidence.map((e) => `- ${e}`),
    ...f.stack.map((p) => `  ${p?.function ?? "?"} ${wholePlace(p)}`),
  ];
  return `${lines.filter((l) => l !== "").join("\n")}\n`;
}

export class NowView implements View {
  readonly element: HTMLElement;
  private readonly tiles = h("div", { class: "tiles" });
  private readonly cards = h("div", { class: "cards" });
  private readonly title = h("h2", { id: "leaks-title" }, "What leaks");
  private readonly reasons = h("tbody");
  private readonly chartBox = h("div", { class: "chart", role: "img", "aria-label": "Goroutines over time" });
  private readonly chart = new Chart(this.chartBox);
  private route: Route | null = null;
  private names: string[] = [];
  private readonly onFindings = () => this.showFindings();
  private readonly onObservation = () => this.showNumbers();

  constructor(private readonly context: Context) {
    this.element = h(
      "div",
      { class: "now" },
      h("h1", { class: "unseen" }, "Now"),
      this.tiles,
      h(
        "div",
        { class: "columns" },
        h("section", { class: "leaks", "aria-labelledby": "leaks-title" }, 
          h("div", { class: "bar-line" }, this.title, copyButton("Copy as text", () => context.client.text("leaks", { format: "text" }))),
          this.cards),
        h(
          "section",
          { class: "side", "aria-labelledby": "waits-title" },
          h("h2", { id: "waits-title" }, "What goroutines wait for"),
          this.chartBox,
          h(
            "table",
            { class: "reasons" },
            h(
              "thead",
              {},
              h("tr", {}, h("th", { scope: "col" }, "State or wait"), h("th", { scope: "col", class: "number" }, "Goroutines"), h("th", { scope: "col" }, "Share")),
            ),
            this.reasons,
          ),
        ),
      ),
    );
    fill(this.cards, loading("Looking at the goroutines…"));
    context.live.addEventListener("findings", this.onFindings);
    context.live.addEventListener("series", this.onFindings);
    context.live.addEventListener("observation", this.onObservation);
  }

  show(route: Route): void {
    this.route = route;
    this.showNumbers();
    this.showFindings();
  }

  /** The places whose details are shown. */
  private open(): string[] {
    return this.route?.params.getAll("open") ?? [];
  }

  private toggle(site: string): void {
    const open = this.open();
    const next = open.includes(site) ? open.filter((s) => s !== site) : [...open, site];
    if (this.route) this.context.go(withParams(this.route, { open: next }), true);
  }

  restyle(): void {
    this.chart.restyle();
  }

  close(): void {
    const { live } = this.context;
    live.removeEventListener("findings", this.onFindings);
    live.removeEventListener("series", this.onFindings);
    live.removeEventListener("observation", this.onObservation);
    this.chart.destroy();
  }

  private showNumbers(): void {
    const { rows, observation } = this.context.live;
    const last = rows[rows.length - 1];
    if (!last) return;
    // Lines keep their looks: a reason that is shown stays where it is while it is one of the largest.
    const largest = largestWaits(rows, kLines);
    this.names = [...this.names.filter((n) => largest.includes(n)), ...largest.filter((n) => !this.names.includes(n))];
    this.chart.show(
      rows.map((r) => r.at),
      ["all", ...this.names],
      [rows.map((r) => r.total), ...this.names.map((n) => rows.map((r) => r.waits[n] ?? null))],
    );
    this.chartBox.setAttribute(
      "aria-label",
      `Goroutines over time: ${count(last.total)} now, ${count((rows[0] ?? last).total)} at ${new Date((rows[0] ?? last).at * 1000).toLocaleTimeString("en-GB")}`,
    );
    const waits = Object.entries(last.waits).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
    fill(
      this.reasons,
      this.reasonRow("all", last.total, last.total, 0),
      waits.map(([name, n]) => this.reasonRow(name, n, last.total, this.names.indexOf(name) + 1)),
    );
    this.showTiles(observation ? duration(observation.duration_ns) : "");
  }

  private reasonRow(name: string, n: number, total: number, line: number): HTMLElement {
    const shown = line > 0 || name === "all";
    return h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        svg(
          "svg",
          { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" },
          shown &&
            svg("line", {
              x1: 0, y1: 5, x2: 28, y2: 5, class: `series-${line}`,
              "stroke-dasharray": (kDashes[line] ?? []).join(" ") || undefined,
            }),
        ),
        name === "all"
          ? h("a", { href: linkTo("goroutines") }, "all")
          : h("a", { href: linkTo("goroutines", { state: name }) }, name),
      ),
      h("td", { class: "number" }, count(n)),
      h(
        "td",
        { class: "share" },
        h("span", { class: "bar" }, h("span", { style: { width: `${total ? (100 * n) / total : 0}%` } })),
      ),
    );
  }

  private showTiles(lookTook: string): void {
    const { rows, observation } = this.context.live;
    const last = rows[rows.length - 1];
    if (!last) return;
    const minuteAgo = rows.find((r) => r.at >= last.at - 60) ?? last;
    const minutes = (last.at - minuteAgo.at) / 60;
    const growth = minutes > 0.1 ? (last.total - minuteAgo.total) / minutes : null;
    const found = observation?.findings ?? { certain: 0, likely: 0, suspect: 0 };
    const tile = (value: string, what: string, more = "", kind = "") =>
      h("div", { class: `tile ${kind}` }, h("span", { class: "value" }, value), h("span", { class: "what" }, what), more ? h("span", { class: "more" }, more) : null);
    const running = (last.waits["running"] ?? 0) + (last.waits["runnable"] ?? 0) + (last.waits["syscall"] ?? 0);
    fill(
      this.tiles,
      tile(count(last.total), last.total === 1 ? "goroutine" : "goroutines", growth === null ? "" : perMinute(growth)),
      tile(String(found.certain), "certain leaks", "", found.certain ? "certain" : ""),
      tile(String(found.likely), "likely leaks", "", found.likely ? "likely" : ""),
      tile(String(found.suspect), "suspects", "", found.suspect ? "suspect" : ""),
      tile(compact(running), "run or can run"),
      lookTook ? tile(lookTook, "took the last look", `every ${duration(observation?.interval_ns ?? 0)}`) : null,
    );
  }

  private showFindings(): void {
    const { findings, status } = this.context.live;
    if (!findings) {
      if (status.is === "absent") fill(this.cards, h("p", { class: "quiet" }, "Nobody looks at goroutines over time here."));
      return;
    }
    const sorted = [...findings.findings].sort(byUrgency);
    const leaking = sorted.reduce((n, f) => n + f.count, 0);
    setText(this.title, sorted.length === 0 ? "What leaks" : `What leaks: ${goroutines(leaking)} in ${count(sorted.length)} ${sorted.length === 1 ? "place" : "places"}`);
    fill(
      this.cards,
      sorted.length === 0
        ? h("p", { class: "good" }, "Nothing that looks like a leak. Some only show when they have grown for a minute or two.")
        : sorted.map((f) => this.card(f)),
      findings.notes.map((n) => h("p", { class: "quiet" }, n)),
    );
  }

  private card(f: Finding): HTMLElement {
    const series = this.context.live.series.get(f.site) ?? [];
    const growth = perMinute(f.growth_per_minute);
    const isOpen = this.open().includes(f.site);
    const toggle = h(
      "button",
      {
        type: "button",
        "aria-expanded": String(isOpen),
        "data-focus": `${f.site}-stack`,
        on: { click: () => this.toggle(f.site) },
      },
      "Stack and evidence",
    );
    return h(
      "article",
      { class: `card ${f.certainty}` },
      h(
        "div",
        { class: "card-head" },
        certaintyBadge(f.certainty),
        h("span", { class: "kind" }, f.kind.replaceAll("_", " ")),
        h("strong", { class: "count" }, goroutines(f.count)),
        growth ? h("span", { class: `growth${(f.growth_per_minute ?? 0) > 0.05 ? " grows" : ""}` }, growth) : null,
        f.oldest_wait_seconds !== null
          ? h("span", { class: "oldest" }, `oldest ${duration(f.oldest_wait_seconds * 1e9)}`)
          : null,
        series.length > 1 ? sparkline(series, `Over time: ${count(series[0] ?? 0)} to ${count(f.count)} goroutines`) : null,
      ),
      h("p", { class: "cause" }, f.cause ?? `${f.wait ?? f.kind}: ${goroutines(f.count)} that stay`),
      h(
        "dl",
        { class: "places" },
        h("dt", {}, "made at"),
        h("dd", {}, placeLine(f.created_by)),
        h("dt", {}, "stuck at"),
        h("dd", {}, placeLine(f.blocked_at)),
      ),
      h(
        "div",
        { class: "actions" },
        toggle,
        h("a", { class: "button", href: linkTo("goroutines", { site: f.site }), "data-focus": `${f.site}-gs` }, "Goroutines"),
        h("a", { class: "button", href: linkTo("waits", { site: f.site }), "data-focus": `${f.site}-waits` }, "Wait graph"),
        h("a", { class: "button", href: linkTo("compare", { site: f.site }), "data-focus": `${f.site}-diff` }, "What changed"),
        copyButton("Copy", () => findingText(f), `${f.site}-copy`),
      ),
      isOpen ? h("div", { class: "details" }, this.details(f)) : null,
    );
  }

  private details(f: Finding): HTMLElement[] {
    const o = f.object;
    const parts: HTMLElement[] = [];
    if (f.evidence.length > 0) {
      parts.push(h("h3", {}, "Evidence"), h("ul", { class: "evidence" }, f.evidence.map((e) => h("li", {}, e))));
    }
    if (f.fix) parts.push(h("h3", {}, "What helps"), h("p", {}, f.fix));
    if (o) {
      parts.push(
        h("h3", {}, o.count && o.count > 1 ? `They wait for ${count(o.count)} of ${o.kind}` : `They wait for: ${o.kind}`),
        h(
          "dl",
          { class: "places" },
          o.detail ? [h("dt", {}, "state"), h("dd", {}, o.detail)] : null,
          o.url ? [h("dt", {}, "request"), h("dd", { class: "url" }, `${o.method ?? ""} ${o.url}`)] : null,
          o.made_at ? [h("dt", {}, "made at"), h("dd", {}, placeLine(o.made_at))] : null,
          o.owner ? [h("dt", {}, "held by"), h("dd", {}, h("a", { href: linkTo("goroutine", { id: String(o.owner) }) }, `goroutine ${o.owner}`))] : null,
          o.places.map((p) => [h("dt", {}, p.what), h("dd", {}, placeLine(p.at))]),
        ),
      );
    }
    parts.push(h("h3", {}, "Stack"), stackList(f.stack));
    if (f.goids.length > 0) {
      parts.push(
        h("h3", {}, "Some of them"),
        h("p", { class: "goids" }, f.goids.map((g) => [h("a", { href: linkTo("goroutine", { id: String(g) }) }, String(g)), " "])),
      );
    }
    return parts;
  }
}
