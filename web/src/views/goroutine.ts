// One goroutine: where it is, what it waits for, who holds that, who else waits, who made it.
import { ApiError, isAbort } from "../api/client";
import type { SnapshotJson } from "../api/types";
import { bytes, clock, count, duration, goroutines, perMinute, wholePlace } from "../model/format";
import { addSight, type Goroutine, noObject, relationsOf, type Relations, type Sight, type WaitedFor } from "../model/goroutine";
import { type Group, groupKey } from "../model/groups";
import { linkTo, type Route } from "../state/route";
import { button, copyButton, fill, h, setText } from "../ui/dom";
import { loading, placeLine, sparkline, stackList, troubleBox } from "../ui/parts";
import type { Context, View } from "./view";

const kCompanions = 50;
const kAtOnce = 8; // of them; the others can be unfolded
const kEveryMs = 2000;
const kRest = 10; // times as long as a look has taken

function link(g: Goroutine): HTMLElement {
  return h(
    "li",
    {},
    h("a", { href: linkTo("goroutine", { id: String(g.goid) }) }, `${g.thread ? "thread" : "goroutine"} ${g.goid}`),
    g.name ? ` ${g.name}` : "",
    h("span", { class: "wait" }, g.wait),
    g.sinceNs >= 0 ? h("span", { class: "quiet" }, duration(g.sinceNs)) : null,
    placeLine(g.stack[0]),
  );
}

export function goroutineText(g: Goroutine): string {
  const since = g.sinceNs >= 60e9 ? `, ${Math.floor(g.sinceNs / 60e9)} minutes` : "";
  const lines = [`goroutine ${g.goid} [${g.wait}${since}]:`];
  for (const p of g.stack) lines.push(p.function, `\t${wholePlace(p) || "?"}`);
  if (g.createdBy) {
    lines.push(`created by ${g.createdBy.function}${g.parent ? ` in goroutine ${g.parent}` : ""}`, `\t${wholePlace(g.createdBy) || "?"}`);
  }
  return `${lines.join("\n")}\n`;
}

/** What the page draws, without what changes all the time: whether to draw it anew. */
function contentOf(r: Relations): string {
  const timeless = (g: Goroutine) => ({ ...g, sinceNs: 0, cpuNs: 0 });
  return JSON.stringify([timeless(r.self), r.goneParent, ...[r.parents, r.owners, r.companions].map((all) => all.map(timeless))]);
}

export class GoroutineView implements View {
  readonly element = h("div", { class: "goroutine" });
  private readonly trouble = h("div");
  private readonly content = h("div");
  private readonly since = h("dd");
  private readonly ran = h("dd");
  private readonly sights = h("ol", { class: "relations" });
  private readonly kind = h("section");
  private history: Sight[] = [];
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private goid = 0;
  private shown = "";
  private group: Group | null = null;
  private hasAskedKind = false;
  private hasEnded = false;

  constructor(private readonly context: Context) {}

  show(route: Route): void {
    const id = route.params.get("id") ?? "";
    const goid = /^\d{1,15}$/.test(id) ? Number(id) : 0;
    if (goid === this.goid && this.shown) return;
    this.goid = goid;
    this.history = [];
    this.group = null;
    this.refresh();
  }

  refresh(): void {
    this.close();
    this.abort = new AbortController();
    this.shown = "";
    this.hasEnded = false;
    this.hasAskedKind = false;
    fill(this.element, h("h1", {}, `Goroutine ${this.goid}`), this.trouble, this.content);
    fill(this.trouble);
    fill(this.content, loading("Looking at it…"));
    void this.watch(this.abort.signal);
  }

  close(): void {
    clearTimeout(this.timer);
    this.abort.abort(new DOMException("closed", "AbortError"));
  }

  /** Looks again and again, more rarely where a look takes long. */
  private async watch(signal: AbortSignal): Promise<void> {
    const began = performance.now();
    if (!document.hidden || !this.shown) await this.look(signal);
    if (signal.aborted || this.hasEnded) return;
    this.timer = setTimeout(() => void this.watch(signal), Math.max(kEveryMs, kRest * (performance.now() - began)));
  }

  private async look(signal: AbortSignal): Promise<void> {
    try {
      const s = await this.context.client.json<SnapshotJson>("goroutine", { format: "json", goid: this.goid, limit: kCompanions }, signal);
      const relations = relationsOf(s, this.goid);
      if (!relations) throw new ApiError("missing", "no such goroutine lives (any more)");
      fill(this.trouble);
      addSight(this.history, relations.self, s.taken_at_ns);
      this.draw(relations, s.taken_at_ns);
      if (!this.hasAskedKind) await this.findKind(relations.self, signal);
    } catch (e) {
      if (isAbort(e)) return;
      if (e instanceof ApiError && e.trouble === "missing" && this.shown) {
        this.hasEnded = true;
        fill(this.trouble, h("p", { class: "ended", role: "status" }, "It has ended. What is shown is how it was seen last."));
        return;
      }
      this.hasEnded = e instanceof ApiError && e.trouble === "missing";
      if (this.hasEnded) fill(this.content);
      fill(this.trouble, troubleBox(e, () => this.refresh()));
    }
  }

  /** The group that it is of, whose numbers are known over time. */
  private async findKind(self: Goroutine, signal: AbortSignal): Promise<void> {
    this.hasAskedKind = true;
    const key = groupKey(self);
    this.group = (await this.context.groups.load(false, signal)).groups.find((g) => groupKey(g) === key) ?? null;
    this.showKind();
  }

  private showKind(): void {
    const g = this.group;
    if (!g) return fill(this.kind);
    const series = this.context.live.series.get(g.site) ?? [];
    fill(
      this.kind,
      h("h2", {}, "Others of its kind"),
      h(
        "p",
        { class: "kind-line" },
        h("a", { href: linkTo("goroutines", { group: g.id, site: g.site }) }, goroutines(g.count)),
        h("span", { class: (this.context.live.growth(g.site) ?? 0) > 0.05 ? "grows" : "quiet" }, perMinute(this.context.live.growth(g.site))),
        series.length > 1 ? sparkline(series, `Over time: ${count(series[0] ?? 0)} to ${count(series[series.length - 1] ?? 0)} goroutines`) : null,
      ),
    );
  }

  private showTimes(self: Goroutine, takenAtNs: number): void {
    setText(this.since, self.sinceNs >= 0 ? `${duration(self.sinceNs)}, since ${clock(takenAtNs - self.sinceNs)}` : "not known");
    setText(this.ran, self.cpuNs >= 0 ? duration(self.cpuNs) : "not known");
    fill(
      this.sights,
      [...this.history].reverse().map((s) => h("li", {}, h("span", { class: "number" }, clock(s.at * 1e6)), h("span", { class: "wait" }, s.wait), placeLine(s.where))),
    );
  }

  private draw(r: Relations, takenAtNs: number): void {
    const { self } = r;
    this.showTimes(self, takenAtNs);
    const content = contentOf(r);
    if (content === this.shown) return;
    this.shown = content;
    const fact = (what: string, value: Node | string) => [h("dt", {}, what), value instanceof Node ? value : h("dd", {}, value)];
    fill(
      this.content,
      h(
        "div",
        { class: "actions" },
        button("Look anew", () => this.refresh()),
        copyButton("Copy", () => goroutineText(self)),
        h("a", { class: "button", href: linkTo("goroutines", { q: wholePlace(self.stack[0]) }) }, "Others at this line"),
      ),
      h(
        "div",
        { class: "two" },
        h(
          "div",
          { class: "panel" },
          h(
            "dl",
            { class: "facts" },
            self.thread ? fact("kind", "a thread") : null,
            self.name ? fact("name", self.name) : null,
            fact("is", h("dd", {}, h("strong", {}, self.wait))),
            fact("for", this.since),
            self.cpuNs >= 0 ? fact("has run for", this.ran) : null,
            self.stackBytes ? fact("stack in use", bytes(self.stackBytes)) : null,
            self.labels.map(([k, v]) => fact(k, v)),
          ),
          h("h2", {}, "Stack"),
          stackList(self.stack),
          h("h2", {}, "Made at"),
          placeLine(self.createdBy),
          h("h2", {}, "Made by"),
          r.parents.length === 0 && !r.goneParent ? h("p", { class: "quiet" }, "The program itself.") : null,
          h("ol", { class: "relations" }, r.parents.map(link)),
          r.goneParent ? h("p", { class: "quiet" }, `Goroutine ${r.goneParent} before that, which has ended.`) : null,
          h("h2", {}, "Seen doing"),
          this.sights,
        ),
        h(
          "div",
          { class: "panel" },
          h("h2", {}, "Waits for"),
          self.objects.length === 0 ? h("p", { class: "quiet" }, noObject(self)) : null,
          self.objects.map((o) => objectBox(o, r)),
          r.owners.length > 0 ? [h("h2", {}, "Who holds it"), h("ul", { class: "relations" }, r.owners.map(link))] : null,
          self.objects.length > 0 ? companions(r.companions) : null,
          this.kind,
        ),
      ),
    );
  }
}

function objectBox(o: WaitedFor, r: Relations): HTMLElement {
  return h(
    "section",
    { class: "object" },
    h("h3", {}, `${o.kind} `, h("span", { class: "quiet" }, o.address)),
    h("dl", { class: "facts" }, o.facts.map(([what, value]) => [h("dt", {}, what), h("dd", {}, typeof value === "string" ? value : placeLine(value))])),
    o.owner ? h("p", {}, "Held by ", ownerText(o.owner, r)) : null,
  );
}

function ownerText(owner: number, r: Relations): (HTMLElement | string)[] {
  const name = `goroutine ${owner}`;
  if (!r.owners.some((g) => g.goid === owner)) return [`${name}, which has ended: nobody will ever let it go.`];
  return [h("a", { href: linkTo("goroutine", { id: String(owner) }) }, name), "."];
}

function companions(all: Goroutine[]): HTMLElement {
  const list = (some: Goroutine[]) => h("ul", { class: "relations" }, some.map(link));
  const more = all.slice(kAtOnce);
  const whole = all.length >= kCompanions ? ` (the first ${count(all.length)})` : "";
  return h(
    "section",
    {},
    h("h2", {}, `Who else waits there${whole}`),
    all.length === 0 ? h("p", { class: "quiet" }, "Nobody.") : list(all.slice(0, kAtOnce)),
    more.length > 0 ? h("details", {}, h("summary", {}, `${more.length} more`), list(more)) : null,
  );
}
