// One goroutine: where it is, what it waits for, who holds that, who else waits, who made it.
import type { SnapshotJson } from "../api/types";
import { bytes, count, duration, wholePlace } from "../model/format";
import { type Goroutine, relationsOf, type Relations } from "../model/goroutine";
import { linkTo, type Route } from "../state/route";
import { button, copyButton, fill, h } from "../ui/dom";
import { loading, placeLine, stackList, troubleBox } from "../ui/parts";
import type { Context, View } from "./view";

const kCompanions = 50;

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

export class GoroutineView implements View {
  readonly element = h("div", { class: "goroutine" });
  private abort = new AbortController();
  private goid = 0;

  constructor(private readonly context: Context) {}

  show(route: Route): void {
    this.goid = Math.floor(Number(route.params.get("id") ?? 0)) || 0;
    this.refresh();
  }

  refresh(): void {
    this.close();
    this.abort = new AbortController();
    fill(this.element, h("h1", {}, `Goroutine ${this.goid}`), loading("Looking at it…"));
    this.context.client
      .json<SnapshotJson>("goroutine", { format: "json", goid: this.goid, limit: kCompanions }, this.abort.signal)
      .then(
        (s) => {
          const relations = relationsOf(s, this.goid);
          if (relations) this.draw(relations);
          else fill(this.element, h("h1", {}, `Goroutine ${this.goid}`), h("p", {}, "It lives no more."));
        },
        (e: unknown) => fill(this.element, h("h1", {}, `Goroutine ${this.goid}`), troubleBox(e, () => this.refresh())),
      );
  }

  close(): void {
    this.abort.abort(new DOMException("closed", "AbortError"));
  }

  private draw(r: Relations): void {
    const { self } = r;
    const fact = (what: string, value: string) => [h("dt", {}, what), h("dd", {}, value)];
    fill(
      this.element,
      h("h1", {}, `${self.thread ? "Thread" : "Goroutine"} ${self.goid}`, self.name ? h("span", { class: "name" }, ` ${self.name}`) : null),
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
          {},
          h(
            "dl",
            { class: "facts" },
            fact("is", self.wait),
            self.sinceNs >= 0 ? fact("since", duration(self.sinceNs)) : null,
            self.cpuNs >= 0 ? fact("has run for", duration(self.cpuNs)) : null,
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
        ),
        h(
          "div",
          {},
          h("h2", {}, "Waits for"),
          self.objects.length === 0 ? h("p", { class: "quiet" }, self.state === "waiting" ? "Nothing that is known." : "Nothing: it does not wait.") : null,
          self.objects.map((o) =>
            h(
              "section",
              { class: "object" },
              h("h3", {}, `${o.kind} `, h("span", { class: "quiet" }, o.address)),
              h("dl", { class: "facts" }, o.facts.map(([what, value]) => [h("dt", {}, what), h("dd", {}, typeof value === "string" ? value : placeLine(value))])),
              o.owner ? h("p", {}, "Held by ", h("a", { href: linkTo("goroutine", { id: String(o.owner) }) }, `goroutine ${o.owner}`), r.owners.some((g) => g.goid === o.owner) ? "." : ", which has ended: nobody will ever let it go.") : null,
            ),
          ),
          r.owners.length > 0 ? [h("h2", {}, "Who holds it"), h("ul", { class: "relations" }, r.owners.map(link))] : null,
          self.objects.length > 0
            ? [
                h("h2", {}, r.companions.length >= kCompanions ? `Who else waits there (the first ${count(r.companions.length)})` : "Who else waits there"),
                r.companions.length === 0 ? h("p", { class: "quiet" }, "Nobody.") : h("ul", { class: "relations" }, r.companions.map(link)),
              ]
            : null,
        ),
      ),
    );
  }
}
