// Scheduler: who runs, who queues, how long goroutines wait for their turn.
import { isAbort } from "../api/client";
import type { SchedJson } from "../api/types";
import { bytes, count, duration } from "../model/format";
import { button, copyButton, fill, h } from "../ui/dom";
import { loading, troubleBox, troubleText } from "../ui/parts";
import type { Context, View } from "./view";

const kEveryMs = 2000;

/** Of totals that only grow: how many a second. */
export function rates(before: SchedJson | null, now: SchedJson): Record<string, number> {
  const seconds = before ? (now.taken_at_ns - before.taken_at_ns) / 1e9 : 0;
  const all: Record<string, number> = {};
  for (const [name, n] of Object.entries(now.totals)) {
    const old = before?.totals[name];
    if (seconds > 0 && old !== undefined && n >= old) all[name] = (n - old) / seconds;
  }
  return all;
}

const kWhat: Record<string, string> = {
  switches: "goroutines put to run",
  parks: "goroutines that blocked",
  steals: "looks into another P's queue that found something",
  stolen: "goroutines taken from other Ps",
  spins: "threads that began to look for work",
  handoffs: "Ps given away by blocked threads",
  retakes: "Ps taken from goroutines that ran or blocked too long",
  polls: "looks at the network",
};

export class SchedView implements View {
  readonly element: HTMLElement;
  private readonly content = h("div", {}, loading("Asking the scheduler…"));
  private readonly trouble = h("div");
  private readonly abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private before: SchedJson | null = null;
  private paused = false;

  constructor(private readonly context: Context) {
    const pause = button("Pause", () => {
      this.paused = !this.paused;
      pause.textContent = this.paused ? "Go on" : "Pause";
      if (!this.paused) void this.load();
    });
    this.element = h(
      "div",
      { class: "sched" },
      h("h1", { class: "unseen" }, "Scheduler"),
      h("div", { class: "bar-line" }, pause, copyButton("Copy as text", () => context.client.text("sched"))),
      this.trouble,
      this.content,
    );
  }

  show(): void {
    void this.load();
  }

  refresh(): void {
    void this.load();
  }

  close(): void {
    clearTimeout(this.timer);
    this.abort.abort(new DOMException("closed", "AbortError"));
  }

  private async load(): Promise<void> {
    clearTimeout(this.timer);
    try {
      if (!document.hidden || !this.before) {
        const s = await this.context.client.json<SchedJson>("sched", { format: "json" }, this.abort.signal);
        fill(this.trouble);
        this.draw(s);
        this.before = s;
      }
    } catch (e) {
      if (isAbort(e)) return;
      // The same once more is not told once more.
      if (!this.trouble.textContent?.startsWith(troubleText(e))) fill(this.trouble, troubleBox(e, () => void this.load()));
    }
    if (!this.paused) this.timer = setTimeout(() => void this.load(), kEveryMs);
  }

  private draw(s: SchedJson): void {
    const perSecond = rates(this.before, s);
    const tile = (value: string, what: string) => h("div", { class: "tile" }, h("span", { class: "value" }, value), h("span", { class: "what" }, what));
    const { procs, threads, latency } = s;
    const longest = Math.max(1, ...procs.each.map((p) => p.queue));
    const most = Math.max(1, ...latency.buckets.map((b) => b.count));
    const used = latency.buckets.map((b, i) => (b.count > 0 ? i : -1)).filter((i) => i >= 0);
    const shown = used.length ? latency.buckets.slice(used[0], (used[used.length - 1] ?? 0) + 1) : [];
    fill(
      this.content,
      h(
        "div",
        { class: "tiles" },
        tile(count(s.goroutines.total), "goroutines"),
        tile(`${procs.gomaxprocs - procs.idle} of ${procs.gomaxprocs}`, "Ps busy"),
        tile(count(procs.global_queue + procs.local_queues), "queue for a P"),
        tile(`${threads.total - threads.idle} of ${threads.total}`, "OS threads at work"),
        tile(count(s.blocking.now), `in blocking calls${s.blocking.waiting ? `, ${count(s.blocking.waiting)} wait` : ""}`),
        tile(latency.p99_ns === null ? "?" : `< ${duration(latency.p99_ns)}`, "until they run, 99 of 100"),
      ),
      h(
        "div",
        { class: "two" },
        h(
          "section",
          {},
          h("h2", {}, "Processors"),
          h(
            "table",
            {},
            h("thead", {}, h("tr", {}, ["P", "State", "Queue", "", "Time slices"].map((t, i) => h("th", { scope: "col", class: i === 2 || i === 4 ? "number" : "" }, t || h("span", { class: "unseen" }, "Queue as a bar"))))),
            h(
              "tbody",
              {},
              procs.each.map((p, i) =>
                h(
                  "tr",
                  {},
                  h("th", { scope: "row" }, `P${i}`),
                  h("td", {}, p.idle ? "idle" : p.syscall ? "in a blocking call" : "running"),
                  h("td", { class: "number" }, count(p.queue)),
                  h("td", { class: "share" }, h("span", { class: "bar" }, h("span", { style: { width: `${(100 * p.queue) / longest}%` } }))),
                  h("td", { class: "number" }, count(p.ticks)),
                ),
              ),
            ),
          ),
          h("p", { class: "quiet" }, `${count(procs.global_queue)} in the global queue; ${threads.spinning} threads look for work; ${count(threads.started)} threads were started so far.`),
          h("h2", {}, "Totals"),
          h(
            "table",
            {},
            h("thead", {}, h("tr", {}, ["What", "Since the start", "A second"].map((t, i) => h("th", { scope: "col", class: i ? "number" : "" }, t)))),
            h(
              "tbody",
              {},
              Object.entries(s.totals).map(([name, n]) =>
                h(
                  "tr",
                  {},
                  h("th", { scope: "row", title: kWhat[name] ?? "" }, name, kWhat[name] ? h("span", { class: "quiet" }, ` ${kWhat[name]}`) : null),
                  h("td", { class: "number" }, count(n)),
                  h("td", { class: "number" }, name in perSecond ? count(perSecond[name] ?? 0) : ""),
                ),
              ),
            ),
          ),
        ),
        h(
          "section",
          {},
          h("h2", {}, "From runnable to running"),
          shown.length === 0 ? h("p", { class: "quiet" }, "Nothing was measured yet.") : null,
          h(
            "table",
            { class: "histogram" },
            h("thead", {}, h("tr", {}, ["Below", "Goroutines", "Share"].map((t, i) => h("th", { scope: "col", class: i < 2 ? "number" : "" }, t)))),
            h(
              "tbody",
              {},
              shown.map((b) =>
                h(
                  "tr",
                  {},
                  h("th", { scope: "row", class: "number" }, b.below_ns === null ? "more" : duration(b.below_ns)),
                  h("td", { class: "number" }, count(b.count)),
                  h("td", { class: "share" }, h("span", { class: "bar" }, h("span", { style: { width: `${(100 * b.count) / most}%` } }))),
                ),
              ),
            ),
          ),
          h("p", { class: "quiet" }, `One goroutine in ${latency.one_in} is measured.`),
          h("h2", {}, "Stacks"),
          h(
            "dl",
            { class: "facts" },
            h("dt", {}, "memory in use"), h("dd", {}, bytes(s.stacks["committed_bytes"] ?? 0)),
            h("dt", {}, "address space"), h("dd", {}, bytes(s.stacks["reserved_bytes"] ?? 0)),
            h("dt", {}, "stacks"), h("dd", {}, count(s.stacks["total"] ?? 0)),
            h("dt", {}, "trimmed so far"), h("dd", {}, bytes(s.stacks["trimmed_bytes"] ?? 0)),
          ),
          h("h2", {}, "Contexts"),
          h("dl", { class: "facts" }, Object.entries(s.contexts).map(([name, n]) => [h("dt", {}, name), h("dd", {}, count(n))])),
        ),
      ),
    );
  }
}
