// Who is asked for: the same in all views that show goroutines. What is typed is in the address at
// once; the view shows what the address says.
import { count } from "../model/format";
import { filterOf, type Group } from "../model/groups";
import { type Route, withParams } from "../state/route";
import { button, fill, h, setText } from "./dom";

const kMostFacets = 8;
const kMostLabels = 200;
const kAges: [string, string][] = [
  ["", "any age"],
  ["60", "over 1 min"],
  ["600", "over 10 min"],
  ["3600", "over 1 h"],
  ["86400", "over 1 d"],
];

export class FilterBar {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly label: HTMLInputElement;
  private readonly labels = h("datalist", { id: "known-labels" });
  private readonly age: HTMLSelectElement;
  private readonly facets = h("div", { class: "facets", role: "group", "aria-label": "State or wait reason" });
  private readonly chips = h("div", { class: "chips" });
  private route: Route | null = null;

  /** `ages`: whether the view can tell by age. */
  constructor(
    private readonly go: (link: string, replace?: boolean) => void,
    options: { ages: boolean } = { ages: true },
  ) {
    this.search = h("input", {
      type: "search",
      placeholder: "Function, file:line, label, wait… text or regular expression",
      "aria-label": "Search",
      spellcheck: "false",
      autocomplete: "off",
      on: { input: () => this.change({ q: this.search.value }) },
    });
    this.label = h("input", {
      type: "text",
      class: "label-input",
      placeholder: "label or label=value",
      "aria-label": "Label, Enter to add",
      list: "known-labels",
      autocomplete: "off",
      on: {
        change: () => {
          const label = this.label.value.trim();
          if (!label || !this.route) return;
          this.label.value = "";
          this.change({ label: [...new Set([...filterOf(this.route.params).labels, label])] });
        },
      },
    });
    this.age = h(
      "select",
      { "aria-label": "Waits for at least", on: { change: () => this.change({ age: this.age.value }) } },
      kAges.map(([value, text]) => h("option", { value }, text)),
    );
    this.element = h(
      "div",
      { class: "filter-bar", role: "search" },
      h("div", { class: "filter-inputs" }, this.search, this.label, this.labels, options.ages ? this.age : null),
      this.facets,
      this.chips,
    );
  }

  private change(changes: Record<string, string | string[] | undefined>): void {
    if (this.route) this.go(withParams(this.route, { ...changes, group: undefined }), true);
  }

  /** `groups`: all that there are, to choose from. */
  show(route: Route, groups: Group[]): void {
    this.route = route;
    const f = filterOf(route.params);
    if (document.activeElement !== this.search) this.search.value = f.q;
    this.age.value = route.params.get("age") ?? "";
    const byWait = new Map<string, number>();
    const labels = new Set<string>();
    for (const g of groups) {
      byWait.set(g.wait, (byWait.get(g.wait) ?? 0) + g.count);
      for (const [key, value] of g.labels) if (labels.size < kMostLabels) labels.add(`${key}=${value}`);
    }
    this.label.hidden = labels.size === 0 && f.labels.length === 0;
    fill(this.labels, [...labels].map((l) => h("option", { value: l })));
    const chosen = new Set(f.states.map((s) => s.toLowerCase()));
    const all = [...byWait].sort((a, b) => b[1] - a[1]);
    const shown = all.filter(([name], i) => i < kMostFacets || chosen.has(name));
    for (const state of f.states) if (!byWait.has(state)) shown.push([state, 0]);
    const focused = this.facets.contains(document.activeElement) ? document.activeElement?.getAttribute("data-name") : null;
    fill(
      this.facets,
      shown.map(([name, n]) => {
        const on = chosen.has(name.toLowerCase());
        return h(
          "button",
          {
            type: "button",
            class: "facet",
            "aria-pressed": String(on),
            "data-name": name,
            on: {
              click: () =>
                this.change({
                  state: (on ? f.states.filter((s) => s.toLowerCase() !== name.toLowerCase()) : [...f.states, name]).join(","),
                }),
            },
          },
          name,
          h("span", { class: "number" }, n ? count(n) : ""),
        );
      }),
    );
    if (focused) this.facets.querySelector<HTMLElement>(`[data-name="${CSS.escape(focused)}"]`)?.focus();
    fill(
      this.chips,
      f.site ? this.chip("one leak", "Show all places again", () => this.change({ site: undefined })) : null,
      f.labels.map((l) => this.chip(l, `Without the label ${l}`, () => this.change({ label: f.labels.filter((x) => x !== l) }))),
      f.q || f.site || f.states.length || f.labels.length || f.ageNs
        ? button("Clear all", () => {
            this.search.value = "";
            this.change({ q: undefined, site: undefined, state: undefined, label: undefined, age: undefined });
          }, { class: "plain" })
        : null,
    );
  }

  private chip(text: string, title: string, click: () => void): HTMLElement {
    return h("button", { type: "button", class: "chip", title, on: { click } }, text, h("span", { "aria-hidden": "true" }, " ×"));
  }
}

/** "12 of 345 goroutines in 6 groups" */
export function showTotal(to: HTMLElement, shown: number, all: number, groups: number): void {
  const of = shown === all ? "" : ` of ${count(all)}`;
  setText(to, `${count(shown)}${of} goroutines in ${count(groups)} ${groups === 1 ? "group" : "groups"}`);
}
