// Compare: what changed since a point of the history, or since a dump that was saved before. The
// endpoint compares; a file is sent to it, and read there as every dump is.
import { isAbort } from "../api/client";
import type { KeptSnapshot } from "../api/types";
import { type DiffEntry, type DiffJson, changesOf, decodeDiff, largest } from "../model/diff";
import { findPath, flameOf, pathId } from "../model/flame";
import { clock, count, goroutines, signed, wholePlace } from "../model/format";
import { filterOf, type Groups, serverFilter } from "../model/groups";
import { isFile, open } from "../state/files";
import { linkTo, type Route, withParams } from "../state/route";
import { button, copyButton, fill, h, setText } from "../ui/dom";
import { FilterBar } from "../ui/filter_bar";
import { FlameGraph } from "../ui/flame_graph";
import { loading, placeLine, stackList, troubleBox } from "../ui/parts";
import { Picture } from "../ui/picture";
import { queryOfTip } from "../ui/svg_graph";
import type { Context, View } from "./view";

const kMostRows = 300;
const kTypingPause = 300; // ms
const kSigns = { new: "+ new", grown: "▲ grown", shrunk: "▼ shrunk", gone: "− gone", unchanged: "= as before" };

type Side = "base" | "to";

/** Its goroutines that there are now; null: none are left, or nothing is known to find them by. */
export function goroutinesOf(e: DiffEntry): string | null {
  const at = wholePlace(e.stack[0]);
  if (e.after === 0 || (!e.site && !at)) return null;
  return linkTo("goroutines", e.site ? { site: e.site } : { q: at });
}

export class CompareView implements View {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly filter: FilterBar;
  private readonly selects: Record<Side, HTMLSelectElement>;
  private readonly headline = h("p", { class: "headline", role: "status" });
  private readonly note = h("p", { class: "quiet" });
  private readonly trouble = h("div");
  private readonly rows = h("div", { class: "diff-rows" });
  private readonly flame: FlameGraph;
  private readonly picture: Picture;
  private readonly pictureTools: HTMLElement;
  private readonly looks = h("div", { class: "switch", role: "group", "aria-label": "Shown as" });
  private readonly input: HTMLInputElement;
  private abort = new AbortController();
  private readonly closed = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private kept: KeptSnapshot[] | null = null;
  private groups: Groups | null = null; // what one can choose from
  private diff: DiffJson | null = null;
  private asking = ""; // the question whose answer is under way
  private shown = ""; // what `diff` is of
  private drawn = ""; // what the picture is of
  private route: Route | null = null;
  private readonly onSnapshot = () => void this.list();

  constructor(private readonly context: Context) {
    this.filter = new FilterBar(context.go);
    this.search = this.filter.search;
    const select = (side: Side, label: string) =>
      h("select", { "aria-label": label, on: { change: () => this.route && context.go(withParams(this.route, { [side]: this.selects[side].value, at: undefined }), true) } });
    this.selects = { base: select("base", "Before"), to: select("to", "After") };
    this.flame = new FlameGraph({
      label: "Differential flame graph: what grew and what shrank",
      isDifference: true,
      zoom: (n) => this.route && context.go(withParams(this.route, { at: pathId(n) || undefined })),
    });
    this.picture = new Picture("Call graph of the difference", "difference.svg", (tip) => {
      const q = queryOfTip(tip);
      if (q && this.route) context.go(withParams(this.route, { q }));
    });
    this.pictureTools = h("span", { class: "switch", hidden: true }, this.picture.tools);
    this.input = h("input", { type: "file", hidden: true, "aria-label": "A saved dump", on: { change: () => void this.take(this.input.files) } });
    this.element = h(
      "div",
      { class: "compare" },
      h("h1", { class: "unseen" }, "Compare"),
      h(
        "div",
        { class: "bar-line" },
        h("label", {}, "Before ", this.selects.base),
        h("label", {}, "After ", this.selects.to),
        button("Keep a snapshot now", () => void this.keep()),
        button("Open a file…", () => this.input.click()),
        this.input,
        copyButton("Copy as text", () => this.ask("text").then((r) => r.text())),
        copyButton("Copy as Markdown", () => this.ask("markdown").then((r) => r.text())),
      ),
      h("p", { class: "quiet drop-hint" }, "A saved dump can be dropped here: JSON, pprof, or text as of debug=1 and debug=2; of Go programs, too."),
      this.filter.element,
      this.trouble,
      this.headline,
      this.note,
      h("div", { class: "bar-line" }, this.looks, this.pictureTools),
      this.flame.element,
      this.picture.box,
      this.rows,
    );
    this.picture.box.hidden = true;
    this.flame.element.hidden = true;
    context.live.addEventListener("snapshot", this.onSnapshot);
  }

  show(route: Route): void {
    const first = this.route === null;
    this.route = route;
    this.showSelects();
    this.filter.show(route, this.groups?.groups ?? []);
    this.showLooks();
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.compare(false), first ? 0 : kTypingPause);
    if (first) void this.list();
  }

  refresh(): void {
    void this.compare(true);
    void this.list();
  }

  close(): void {
    clearTimeout(this.timer);
    this.context.live.removeEventListener("snapshot", this.onSnapshot);
    this.abort.abort(new DOMException("closed", "AbortError"));
    this.closed.abort(new DOMException("closed", "AbortError"));
  }

  private fail(e: unknown, again: () => void): void {
    const box = troubleBox(e, again);
    if (box) fill(this.trouble, box);
  }

  private async list(): Promise<void> {
    try {
      this.kept = (await this.context.client.json<{ snapshots: KeptSnapshot[] }>("snapshots", {}, this.closed.signal)).snapshots;
      this.showSelects();
    } catch (e) {
      this.fail(e, () => void this.list());
    }
  }

  private async keep(): Promise<void> {
    try {
      const k = (await (await this.context.client.post("snapshots", {}, undefined, this.closed.signal)).json()) as KeptSnapshot;
      await this.list();
      if (this.route) this.context.go(withParams(this.route, { base: String(k.id), to: undefined }), true);
    } catch (e) {
      this.fail(e, () => void this.keep());
    }
  }

  private async take(files: FileList | null): Promise<void> {
    const file = files?.[0];
    if (!file) return;
    try {
      const base = await open(this.context.files, file);
      this.input.value = "";
      if (this.route) this.context.go(withParams(this.route, { base, at: undefined }), true);
    } catch (e) {
      this.fail(e, () => this.input.click());
    }
  }

  private params(): Record<string, string | string[]> {
    const p = this.route?.params ?? new URLSearchParams();
    const base = p.get("base") ?? "";
    return { base: isFile(base) ? "" : base, to: p.get("to") ?? "", ...serverFilter(filterOf(p)) };
  }

  private async ask(format: string, signal = this.closed.signal): Promise<Response> {
    const base = this.route?.params.get("base") ?? "";
    const params = { ...this.params(), format };
    if (!isFile(base)) return this.context.client.ask("diff", params, { signal });
    const file = this.context.files.get(base);
    if (!file) throw new Error("That was a file: open it once more.");
    return this.context.client.post("diff", params, file.packed, signal);
  }

  private isPicture(): boolean {
    return this.route?.params.get("as") === "graph";
  }

  private showLooks(): void {
    const isPicture = this.isPicture();
    fill(
      this.looks,
      [false, true].map((picture) =>
        button(picture ? "Call graph" : "Flame graph", () => this.route && this.context.go(withParams(this.route, { as: picture ? "graph" : undefined }), true), {
          "aria-pressed": String(picture === isPicture),
        }),
      ),
    );
    this.flame.element.hidden = isPicture || !this.diff;
    this.picture.box.hidden = this.pictureTools.hidden = !isPicture;
  }

  private showSelects(): void {
    const kept = [...(this.kept ?? [])].reverse();
    const name = (k: KeptSnapshot) => `${clock(k.taken_at_ns)}: ${goroutines(k.goroutines)}${k.asked ? ", asked for" : ""}`;
    const options: Record<Side, [string, string][]> = {
      base: [
        ["", "the oldest that is kept"],
        ...[...this.context.files].map(([name, f]): [string, string] => [name, `file ${f.name}`]),
        ...kept.map((k): [string, string] => [String(k.id), name(k)]),
      ],
      to: [["", "now"], ...kept.map((k): [string, string] => [String(k.id), name(k)])],
    };
    for (const side of ["base", "to"] as const) {
      const chosen = this.route?.params.get(side) ?? "";
      const isListed = options[side].some(([value]) => value === chosen);
      fill(
        this.selects[side],
        options[side].map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
        isListed ? null : h("option", { value: chosen, selected: true }, this.kept ? `${chosen}: not there any more` : chosen),
      );
    }
  }

  private async compare(anew: boolean): Promise<void> {
    if (!this.route) return;
    const wanted = JSON.stringify([this.route.params.get("base"), this.params()]);
    if (wanted === this.asking) return; // whoever asks again and again would never get an answer
    this.abort.abort(new DOMException("another one", "AbortError"));
    this.abort = new AbortController();
    this.asking = "";
    if (wanted === this.shown && !anew) {
      fill(this.trouble);
      return this.drawPicture(wanted);
    }
    const { signal } = this.abort;
    if (wanted !== this.shown) fill(this.trouble, loading("Comparing…"));
    this.asking = wanted;
    try {
      this.diff = decodeDiff((await (await this.ask("json", signal)).json()) as DiffJson);
      this.asking = "";
      this.shown = wanted;
      this.drawn = "";
      fill(this.trouble);
      this.draw();
      this.groups = await this.context.groups.load(anew, signal);
      if (this.route) this.filter.show(this.route, this.groups.groups);
      await this.drawPicture(wanted);
    } catch (e) {
      if (isAbort(e)) return;
      this.asking = "";
      // The numbers of another question are no answer to this one.
      if (wanted !== this.shown) this.clear();
      this.fail(e, () => void this.compare(true));
    }
  }

  private clear(): void {
    this.diff = null;
    this.shown = this.drawn = "";
    setText(this.headline, "");
    setText(this.note, "");
    fill(this.rows);
    this.picture.clear();
    this.showLooks();
  }

  private async drawPicture(wanted: string): Promise<void> {
    if (!this.isPicture() || this.drawn === wanted) return;
    fill(this.trouble, loading("Drawing…"));
    try {
      const text = await (await this.ask("svg", this.abort.signal)).text();
      this.drawn = wanted;
      await this.picture.show(text);
      fill(this.trouble);
    } catch (e) {
      if (this.drawn !== wanted) this.picture.clear();
      this.fail(e, () => void this.compare(true));
    }
  }

  private draw(): void {
    const { diff, route } = this;
    if (!diff || !route) return;
    const time = (side: { taken_at_ns?: number }, otherwise: string) => (side.taken_at_ns ? `at ${clock(side.taken_at_ns)}` : otherwise);
    const before = diff.old.total;
    const after = diff.now.total;
    const seconds = ((diff.now.taken_at_ns ?? 0) - (diff.old.taken_at_ns ?? 0)) / 1e9;
    const rate = diff.old.taken_at_ns && diff.same_process && seconds > 5 ? `, ${signed(((after - before) * 60) / seconds)} a minute` : "";
    setText(this.headline, `${signed(after - before)} goroutines: ${count(before)} ${time(diff.old, "before")}, ${count(after)} ${time(diff.now, "now")}${rate}`);
    const why = diff.same_process_why;
    const notes = [
      diff.old.truncated ? "The dump before was cut off: what is missing there seems new." : "",
      diff.same_process || !why ? "" : `${why[0]?.toUpperCase()}${why.slice(1)}.`,
    ];
    setText(this.note, notes.filter((n) => n !== "").join(" "));
    const root = flameOf(
      diff.entries.map((e) => ({ stack: e.stack, wait: e.wait, createdBy: e.created_by, count: e.after, before: e.before })),
      "stack",
    );
    this.flame.show(root, findPath(root, route.params.get("at") ?? "") ?? root);
    this.showLooks();
    const all = changesOf(diff);
    const changes = largest(all, kMostRows);
    fill(
      this.rows,
      changes.length === 0 ? h("p", { class: "good" }, "Nothing has changed.") : changes.map((e) => this.row(e)),
      all.length > changes.length ? h("p", { class: "quiet" }, `${count(all.length - changes.length)} more groups have changed less. Copy as text has all of them.`) : null,
    );
  }

  private row(e: DiffEntry): HTMLElement {
    const link = goroutinesOf(e);
    // Where it is stuck on the user's behalf, where that is known; else its innermost function.
    const at = this.groups?.groups.find((g) => e.site !== undefined && g.site === e.site)?.blockedAt ?? e.stack[0];
    return h(
      "details",
      { class: `diff-row ${e.change}` },
      h(
        "summary",
        {},
        h("span", { class: "change" }, kSigns[e.change]),
        h("strong", { class: "number" }, signed(e.after - e.before)),
        h("span", { class: "quiet number" }, `${count(e.before)} → ${count(e.after)}`),
        h("span", { class: "wait" }, e.wait ?? ""),
        placeLine(at),
      ),
      h("h3", {}, "Stack"),
      stackList(e.stack),
      h("h3", {}, "Made at"),
      placeLine(e.created_by),
      link ? h("p", { class: "actions" }, h("a", { class: "button", href: link }, "Goroutines")) : null,
    );
  }
}
