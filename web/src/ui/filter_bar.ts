// Who is asked for: the same in all views that show goroutines. What is typed is in the address at
// once; the view shows what the address says.
import { count, duration } from "../model/format";
import { type Filter, filterOf, type Group, packagesOf } from "../model/groups";
import { type Route, withParams } from "../state/route";
import { button, fill, h, setText } from "./dom";

const kMostFacets = 8;
const kMostKnown = 200; // labels and packages to choose from
const kAges: [string, string][] = [
  ["", "any age"],
  ["60", "over 1 min"],
  ["600", "over 10 min"],
  ["3600", "over 1 h"],
  ["86400", "over 1 d"],
];

type Words = "label" | "package";

export class FilterBar {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly words: Record<Words, { input: HTMLInputElement; known: HTMLDataListElement }>;
  private readonly age: HTMLSelectElement;
  private readonly other = h("option", { hidden: true });
  private readonly facets = h("div", { class: "facets", role: "group", "aria-label": "State or wait reason" });
  private readonly chips = h("div", { class: "chips", role: "group", "aria-label": "Filters", tabindex: "-1" });
  private route: Route | null = null;
  private groups: Group[] = [];
  private byWait = new Map<string, number>();
  private isWhole = false; // all states are offered

  constructor(private readonly go: (link: string, replace?: boolean) => void) {
    this.search = h("input", {
      type: "search",
      placeholder: "Function, file:line, label, wait… text or regular expression",
      "aria-label": "Search",
      spellcheck: "false",
      autocomplete: "off",
      on: { input: () => this.change({ q: this.search.value }) },
    });
    this.words = {
      label: this.makeWords("label", "label or label=value", "Label, Enter to add"),
      package: this.makeWords("package", "package", "Package or namespace, Enter to add"),
    };
    this.age = h(
      "select",
      { "aria-label": "Waits for at least", on: { change: () => this.change({ age: this.age.value }) } },
      kAges.map(([value, text]) => h("option", { value }, text)),
      this.other,
    );
    this.element = h(
      "div",
      { class: "filter-bar", role: "search" },
      h(
        "div",
        { class: "filter-inputs" },
        this.search,
        Object.values(this.words).map(({ input, known }) => [input, known]),
        this.age,
      ),
      h("div", { class: "filter-choices" }, this.facets, this.chips),
    );
  }

  /** A field that adds what is typed or chosen to a list. */
  private makeWords(name: Words, placeholder: string, label: string) {
    const known = h("datalist", { id: `known-${name}` });
    const input = h("input", {
      type: "text",
      class: "word-input",
      placeholder,
      "aria-label": label,
      list: known.id,
      autocomplete: "off",
      spellcheck: "false",
      on: {
        change: () => {
          const word = input.value.trim();
          if (!word || !this.route) return;
          input.value = "";
          this.change({ [name]: [...new Set([...this.route.params.getAll(name), word])] });
        },
      },
    });
    return { input, known };
  }

  private change(changes: Record<string, string | string[] | undefined>): void {
    if (this.route) this.go(withParams(this.route, { ...changes, group: undefined }), true);
  }

  /** `groups`: all that there are, to choose from. */
  show(route: Route, groups: Group[]): void {
    this.route = route;
    const f = filterOf(route.params);
    if (this.search.value !== f.q) this.search.value = f.q;
    this.showAge(f.ageNs > 0 ? String(f.ageNs / 1e9) : "");
    if (this.groups !== groups) this.learn(groups);
    this.words.label.input.hidden = this.words.label.known.childElementCount === 0 && f.labels.length === 0;
    this.showStates(f);
    const words = (name: Words, all: string[]) => all.map((w) => this.chip(name === "label" ? w : `in ${w}`, `Without the ${name} ${w}`, () => this.change({ [name]: all.filter((x) => x !== w) })));
    fill(
      this.chips,
      f.site ? this.chip("one leak", "Show all places again", () => this.change({ site: undefined })) : null,
      words("label", f.labels),
      words("package", f.packages),
      f.q || f.site || f.states.length || f.labels.length || f.packages.length || f.ageNs
        ? button("Clear all", () => {
            this.search.value = "";
            this.change({ q: undefined, site: undefined, state: undefined, label: undefined, package: undefined, age: undefined });
          }, { class: "plain" })
        : null,
    );
  }

  /** An address may have another age than those that are offered. */
  private showAge(seconds: string): void {
    const isOffered = kAges.some(([value]) => value === seconds);
    this.other.hidden = isOffered;
    if (!isOffered) {
      this.other.value = seconds;
      setText(this.other, `over ${duration(Number(seconds) * 1e9)}`);
    }
    this.age.value = seconds;
  }

  private learn(groups: Group[]): void {
    this.groups = groups;
    this.byWait = new Map();
    const labels = new Set<string>();
    const packages = new Set<string>();
    for (const g of groups) {
      this.byWait.set(g.wait, (this.byWait.get(g.wait) ?? 0) + g.count);
      for (const [key, value] of g.labels) if (labels.size < kMostKnown) labels.add(`${key}=${value}`);
      for (const place of [g.blockedAt, g.createdBy]) {
        for (const name of place ? packagesOf(place.function) : []) if (packages.size < kMostKnown) packages.add(name);
      }
    }
    const offer = (name: Words, all: Set<string>) => fill(this.words[name].known, [...all].sort().map((value) => h("option", { value })));
    offer("label", labels);
    offer("package", packages);
  }

  private showStates(f: Filter): void {
    const chosen = new Set(f.states.map((s) => s.toLowerCase()));
    const all = [...this.byWait].sort((a, b) => b[1] - a[1]);
    const shown = all.filter(([name], i) => this.isWhole || i < kMostFacets || chosen.has(name.toLowerCase()));
    for (const state of f.states) if (!this.byWait.has(state)) shown.push([state, 0]);
    const left = all.length - kMostFacets;
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
            "data-focus": name,
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
      left > 0
        ? h(
            "button",
            {
              type: "button",
              class: "facet more",
              "aria-expanded": String(this.isWhole),
              "data-focus": "more or fewer",
              on: {
                click: () => {
                  this.isWhole = !this.isWhole;
                  if (this.route) this.showStates(filterOf(this.route.params));
                },
              },
            },
            this.isWhole ? "fewer" : `${left} more`,
          )
        : null,
    );
  }

  private chip(text: string, title: string, click: () => void): HTMLElement {
    return h("button", { type: "button", class: "chip", title, on: { click } }, text, h("span", { "aria-hidden": "true" }, " ×"));
  }
}
