// Compare: what changed between two points of the history, now, or a file that was saved before.
import type { GroupsJson, KeptSnapshot, SnapshotJson } from "../api/types";
import { clock, count, goroutines, signed } from "../model/format";
import { type DiffEntry, diffOf } from "../model/diff";
import { findPath, flameOf, pathId } from "../model/flame";
import { choose, decodeGroups, filterOf, type Groups, groupsOfSnapshot, groupText } from "../model/groups";
import { linkTo, type Route, withParams } from "../state/route";
import { button, copyButton, fill, h, setText } from "../ui/dom";
import { FilterBar } from "../ui/filter_bar";
import { FlameGraph } from "../ui/flame_graph";
import { loading, placeLine, stackList, troubleBox } from "../ui/parts";
import type { Context, View } from "./view";

const kMostRows = 300;
const kMostFile = 256 << 20; // bytes
const kSigns = { new: "＋ new", grown: "▲ grown", shrunk: "▼ shrunk", gone: "− gone" };

type Side = "base" | "to";

/** A file's content: what `format=json` or `format=groups` gave. */
export function parseFile(text: string): Groups {
  let j: unknown;
  try {
    j = JSON.parse(text);
  } catch {
    throw new Error("The file is no JSON: save it with format=json, or by: weir dump FILE --format=json");
  }
  const schema = (j as { schema?: unknown } | null)?.schema;
  if (schema === "weir.snapshot/1") return groupsOfSnapshot(j as SnapshotJson);
  if (schema === "weir.groups/1") return decodeGroups(j as GroupsJson);
  throw new Error("The file holds no goroutines: save it with format=json, or by: weir dump FILE --format=json");
}

export function diffText(entries: DiffEntry[], before: number, after: number): string {
  const head = `${signed(after - before)} goroutines: ${count(before)} to ${count(after)}\n`;
  const rows = entries.slice(0, kMostRows).map((e) => `${e.change} ${signed(e.after - e.before)} (${e.before} to ${e.after})\n${groupText({ ...e.group, count: e.after })}`);
  return [head, ...rows].join("\n");
}

export class CompareView implements View {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly filter: FilterBar;
  private readonly selects: Record<Side, HTMLSelectElement>;
  private readonly headline = h("p", { class: "headline", role: "status" });
  private readonly trouble = h("div");
  private readonly rows = h("div", { class: "diff-rows" });
  private readonly graph: FlameGraph;
  private readonly input: HTMLInputElement;
  private readonly abort = new AbortController();
  private readonly known = new Map<string, Groups>(); // kept snapshots, by id: they do not change
  private files: { name: string; groups: Groups }[] = [];
  private kept: KeptSnapshot[] = [];
  private now: Groups | null = null;
  private route: Route | null = null;
  private turn = 0; // of comparisons: an answer to an earlier question is dropped
  private last: { entries: DiffEntry[]; before: number; after: number } = { entries: [], before: 0, after: 0 };
  private readonly onSnapshot = () => void this.list();

  constructor(private readonly context: Context) {
    this.filter = new FilterBar(context.go, { ages: false });
    this.search = this.filter.search;
    const select = (side: Side, label: string) =>
      h("select", { "aria-label": label, on: { change: () => this.route && context.go(withParams(this.route, { [side]: this.selects[side].value, at: undefined }), true) } });
    this.selects = { base: select("base", "Before"), to: select("to", "After") };
    this.graph = new FlameGraph({
      label: "Differential flame graph: what grew and what shrank",
      isDifference: true,
      zoom: (n) => this.route && context.go(withParams(this.route, { at: pathId(n) || undefined })),
    });
    this.input = h("input", { type: "file", accept: ".json,application/json", hidden: true, on: { change: () => void this.take(this.input.files) } });
    this.element = h(
      "div",
      {
        class: "compare",
        on: {
          dragover: (e) => {
            e.preventDefault();
            this.element.classList.add("dropping");
          },
          dragleave: () => this.element.classList.remove("dropping"),
          drop: (e) => {
            e.preventDefault();
            this.element.classList.remove("dropping");
            void this.take(e.dataTransfer?.files ?? null);
          },
        },
      },
      h("h1", { class: "unseen" }, "Compare"),
      h(
        "div",
        { class: "bar-line" },
        h("label", {}, "Before ", this.selects.base),
        h("label", {}, "After ", this.selects.to),
        button("Keep a snapshot now", () => void this.keep()),
        button("Open a file…", () => this.input.click()),
        this.input,
        copyButton("Copy as text", () => this.text()),
      ),
      h("p", { class: "quiet drop-hint" }, "A file that was saved with format=json can be dropped here."),
      this.filter.element,
      this.trouble,
      this.headline,
      this.graph.element,
      this.rows,
    );
    context.live.addEventListener("snapshot", this.onSnapshot);
  }

  show(route: Route): void {
    this.route = route;
    if (this.kept.length === 0 && this.files.length === 0) void this.list();
    else void this.compare();
  }

  refresh(): void {
    this.now = null;
    void this.list();
  }

  close(): void {
    this.context.live.removeEventListener("snapshot", this.onSnapshot);
    this.abort.abort(new DOMException("closed", "AbortError"));
  }

  private fail(e: unknown, again: () => void): void {
    fill(this.trouble, troubleBox(e, again));
  }

  private async list(): Promise<void> {
    try {
      const j = await this.context.client.json<{ snapshots: KeptSnapshot[] }>("snapshots", {}, this.abort.signal);
      this.kept = j.snapshots;
    } catch (e) {
      this.fail(e, () => void this.list());
      if (this.files.length === 0) return;
    }
    await this.compare();
  }

  private async keep(): Promise<void> {
    try {
      const k = await this.context.client.post<KeptSnapshot>("snapshots", this.abort.signal);
      this.now = null;
      this.kept = (await this.context.client.json<{ snapshots: KeptSnapshot[] }>("snapshots", {}, this.abort.signal)).snapshots;
      if (this.route) this.context.go(withParams(this.route, { base: String(k.id), to: undefined }), true);
    } catch (e) {
      this.fail(e, () => void this.keep());
    }
  }

  private async take(files: FileList | null): Promise<void> {
    const file = files?.[0];
    if (!file) return;
    try {
      if (file.size > kMostFile) throw new Error(`The file is larger than ${kMostFile >> 20} MiB.`);
      this.files.push({ name: file.name, groups: parseFile(await file.text()) });
      fill(this.trouble);
      this.input.value = "";
      if (this.route) this.context.go(withParams(this.route, { base: `file${this.files.length - 1}`, at: undefined }), true);
    } catch (e) {
      this.fail(e, () => this.input.click());
    }
  }

  private async groupsOf(name: string): Promise<Groups> {
    if (name === "now") return (this.now ??= await this.context.groups.load(true, this.abort.signal));
    if (name.startsWith("file")) {
      const file = this.files[Number(name.slice(4))];
      if (!file) throw new Error("That was a file: open it once more.");
      return file.groups;
    }
    const have = this.known.get(name);
    if (have) return have;
    const groups = decodeGroups(await this.context.client.json<GroupsJson>("snapshots", { id: name, format: "groups" }, this.abort.signal));
    this.known.set(name, groups);
    return groups;
  }

  private chosen(): Record<Side, string> {
    const p = this.route?.params;
    return { base: p?.get("base") ?? String(this.kept[0]?.id ?? "now"), to: p?.get("to") ?? "now" };
  }

  private showSelects(): void {
    const chosen = this.chosen();
    const options: [string, string][] = [
      ["now", "now"],
      ...[...this.kept].reverse().map((k): [string, string] => [String(k.id), `${clock(k.taken_at_ns)}: ${goroutines(k.goroutines)}${k.asked ? ", asked for" : ""}`]),
      ...this.files.map((f, i): [string, string] => [`file${i}`, `file ${f.name}: ${goroutines(f.groups.total)}`]),
    ];
    for (const side of ["base", "to"] as const) {
      const known = options.some(([value]) => value === chosen[side]);
      fill(
        this.selects[side],
        options.map(([value, text]) => h("option", { value, selected: value === chosen[side] }, text)),
        known ? null : h("option", { value: chosen[side], selected: true }, `${chosen[side]}: not kept any more`),
      );
    }
  }

  private async compare(): Promise<void> {
    const turn = ++this.turn;
    const route = this.route;
    if (!route) return;
    this.showSelects();
    const chosen = this.chosen();
    if (this.rows.childElementCount === 0) fill(this.trouble, loading("Comparing…"));
    try {
      const base = await this.groupsOf(chosen.base);
      const to = await this.groupsOf(chosen.to);
      if (turn !== this.turn) return; // something else was asked for meanwhile
      fill(this.trouble);
      this.draw(base, to, route);
    } catch (e) {
      if (turn === this.turn) this.fail(e, () => void this.compare());
    }
  }

  private text(): string {
    return diffText(this.last.entries, this.last.before, this.last.after);
  }

  private draw(base: Groups, to: Groups, route: Route): void {
    const f = filterOf(route.params);
    this.filter.show(route, to.groups);
    const before = choose(base.groups, f);
    const after = choose(to.groups, f);
    const entries = diffOf(before, after);
    const root = flameOf(after, "stack", before);
    this.last = { entries, before: root.before, after: root.count };
    const seconds = (to.takenAtNs - base.takenAtNs) / 1e9;
    const rate = seconds > 5 ? `, ${signed(((root.count - root.before) * 60) / seconds)} a minute` : "";
    setText(this.headline, `${signed(root.count - root.before)} goroutines: ${count(root.before)} at ${clock(base.takenAtNs)}, ${count(root.count)} at ${clock(to.takenAtNs)}${rate}`);
    this.graph.show(root, findPath(root, route.params.get("at") ?? "") ?? root);
    fill(
      this.rows,
      entries.length === 0 ? h("p", { class: "good" }, "Nothing has changed.") : entries.slice(0, kMostRows).map((e) => this.row(e)),
      entries.length > kMostRows ? h("p", { class: "quiet" }, `${count(entries.length - kMostRows)} more groups have changed less.`) : null,
    );
  }

  private row(e: DiffEntry): HTMLElement {
    const g = e.group;
    return h(
      "details",
      { class: `diff-row ${e.change}` },
      h(
        "summary",
        {},
        h("span", { class: "change" }, kSigns[e.change]),
        h("strong", { class: "number" }, signed(e.after - e.before)),
        h("span", { class: "quiet number" }, `${count(e.before)} → ${count(e.after)}`),
        h("span", { class: "wait" }, g.wait),
        placeLine(g.blockedAt ?? g.stack[0]),
      ),
      h("h3", {}, "Stack"),
      stackList(g.stack),
      h("h3", {}, "Made at"),
      placeLine(g.createdBy),
      g.site ? h("p", { class: "actions" }, h("a", { class: "button", href: linkTo("goroutines", { site: g.site }) }, "Goroutines")) : null,
    );
  }
}
