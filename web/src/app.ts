// What is around every view: where one is, whether the process still answers, the token, the keys.
import { Client } from "./api/client";
import { ago, clock, duration } from "./model/format";
import { GroupsStore } from "./state/groups_store";
import { open, type OpenFiles } from "./state/files";
import { Live } from "./state/live";
import { linkTo, parseRoute, type Route } from "./state/route";
import { button, fill, h, setText } from "./ui/dom";
import { applyTheme, nextTheme, theme } from "./ui/theme";
import { CompareView } from "./views/compare";
import { FlameView } from "./views/flame";
import { GoroutineView } from "./views/goroutine";
import { GoroutinesView } from "./views/goroutines";
import { GraphView } from "./views/graph";
import { NowView } from "./views/now";
import { SchedView } from "./views/sched";
import type { Context, View } from "./views/view";

interface Tab {
  view: string;
  title: string;
  key: string;
  make: (context: Context) => View;
}

const kTabs: Tab[] = [
  { view: "now", title: "Now", key: "1", make: (c) => new NowView(c) },
  { view: "goroutines", title: "Goroutines", key: "2", make: (c) => new GoroutinesView(c) },
  { view: "flame", title: "Flame graph", key: "3", make: (c) => new FlameView(c) },
  { view: "compare", title: "Compare", key: "4", make: (c) => new CompareView(c) },
  { view: "calls", title: "Call graph", key: "5", make: (c) => new GraphView(c, "calls") },
  { view: "waits", title: "Wait graph", key: "6", make: (c) => new GraphView(c, "waits") },
  { view: "scheduler", title: "Scheduler", key: "7", make: (c) => new SchedView(c) },
];
const kHidden: Tab[] = [
  { view: "goroutine", title: "Goroutine", key: "", make: (c) => new GoroutineView(c) },
];

/** Views that show the same goroutines take the filter along. */
const kFiltered = ["goroutines", "flame", "compare", "calls", "waits"];
const kShared = ["q", "state", "label", "package", "site", "age"];

const kTold = 60_000; // ms: how long a restart is told

export class App {
  private readonly client: Client;
  private readonly live: Live;
  private readonly groups: GroupsStore;
  private readonly main = h("main", { id: "main", tabindex: "-1" });
  private readonly nav = h("nav", { "aria-label": "Views" });
  private readonly process = h("span", { class: "process" });
  private readonly state = h("span", { class: "status", role: "status" });
  private readonly banner = h("div", { class: "banner", role: "alert", hidden: true });
  private readonly dialog = h("dialog", { class: "token", "aria-labelledby": "token-title" });
  private readonly help = h("dialog", { class: "help", "aria-labelledby": "help-title" });
  private readonly files: OpenFiles = new Map();
  private view: View | null = null;
  private name = "";
  private complaint = ""; // of what was dropped

  constructor(
    private readonly root: HTMLElement,
    base: URL,
  ) {
    this.client = new Client(base);
    this.live = new Live(this.client);
    this.groups = new GroupsStore(this.client);
  }

  start(): void {
    applyTheme(theme());
    const themeButton = button(`Theme: ${theme()}`, () => {
      applyTheme(nextTheme());
      setText(themeButton, `Theme: ${theme()}`);
      this.view?.restyle?.();
    });
    themeButton.className = "plain";
    fill(
      this.root,
      h("a", { class: "skip", href: "#main", on: { click: (e) => this.skip(e) } }, "To the content"),
      h(
        "header",
        {},
        h("span", { class: "brand" }, h("strong", {}, "weir"), this.process),
        this.nav,
        h(
          "span",
          { class: "tools" },
          this.state,
          themeButton,
          button("Keys", () => this.help.showModal(), { class: "plain wide-only", "aria-haspopup": "dialog" }),
        ),
      ),
      this.banner,
      this.main,
      this.dialog,
      this.help,
    );
    this.makeTokenDialog();
    this.makeHelp();
    this.client.onUnauthorized = () => this.askToken();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      applyTheme(theme());
      this.view?.restyle?.();
    });
    addEventListener("hashchange", () => this.route());
    addEventListener("keydown", (e) => this.onKey(e));
    addEventListener("dragover", (e) => this.onDrag(e));
    addEventListener("dragleave", () => document.body.classList.remove("dropping"));
    addEventListener("drop", (e) => this.onDrop(e));
    this.live.addEventListener("restart", () => this.startAnew());
    for (const type of ["status", "observation"]) {
      this.live.addEventListener(type, () => this.showStatus());
    }
    setInterval(() => this.showStatus(), 1000);
    this.live.start();
    void this.readName();
    this.route();
  }

  /** Another process, or another token: what is shown is asked for once more. */
  private startAnew(): void {
    this.groups.clear();
    void this.readName();
    this.view?.close();
    this.name = "";
    this.route();
  }

  private onDrag(e: DragEvent): void {
    if (!e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault(); // the browser would show the file
    document.body.classList.add("dropping");
  }

  /** A dump: what has changed since then. */
  private onDrop(e: DragEvent): void {
    document.body.classList.remove("dropping");
    const file = e.dataTransfer?.files[0];
    if (!file) return;
    e.preventDefault();
    open(this.files, file).then(
      (base) => this.go(linkTo("compare", { base })),
      (why: unknown) => {
        this.complaint = why instanceof Error ? why.message : String(why);
        this.showStatus();
      },
    );
  }

  private async readName(): Promise<void> {
    try {
      const line = (await this.client.text("pprof/cmdline")).split("\0")[0] ?? "";
      const name = line.split("/").pop() ?? "";
      setText(this.process, name);
      document.title = name ? `${name} · weir` : "weir";
    } catch {
      // Whoever asks next tells what is wrong.
    }
  }

  private go(link: string, replace = false): void {
    if (replace) {
      history.replaceState(null, "", link);
      this.route();
    } else {
      location.hash = link;
    }
  }

  private route(): void {
    const route = parseRoute(location.hash);
    this.complaint = "";
    const tab = [...kTabs, ...kHidden].find((t) => t.view === route.view) ?? (kTabs[0] as Tab);
    if (this.name !== tab.view) {
      this.view?.close();
      this.name = tab.view;
      this.view = tab.make({
        client: this.client,
        live: this.live,
        groups: this.groups,
        files: this.files,
        go: (link, replace) => this.go(link, replace),
      });
      fill(this.main, this.view.element);
      scrollTo(0, 0);
    }
    this.showNav(route);
    this.view?.show(route);
  }

  private showNav(route: Route): void {
    const shared: Record<string, string[]> = {};
    if (kFiltered.includes(route.view)) {
      for (const name of kShared) shared[name] = route.params.getAll(name);
    }
    fill(
      this.nav,
      kTabs.map((t) =>
        h(
          "a",
          {
            href: linkTo(t.view, kFiltered.includes(t.view) ? shared : {}),
            "aria-current": t.view === this.name ? "page" : undefined,
            title: `Key ${t.key}`,
          },
          t.title,
        ),
      ),
    );
  }

  private showStatus(): void {
    const { status, observation, seenAt, restartedAt } = this.live;
    const age = Date.now() - seenAt;
    let word = "connecting";
    let text = "Connecting…";
    let banner = "";
    if (status.is === "live") {
      const stale = observation && age > Math.max(10_000, (3 * observation.interval_ns) / 1e6);
      word = stale ? "stale" : "live";
      text = !observation ? "Live" : stale ? `Stale: seen ${ago(age)}` : `Live: looked ${ago(age)}`;
      if (stale) banner = `Nothing new for ${duration(age * 1e6)}: the process may be stopped, or very busy. What is shown is old.`;
    } else if (status.is === "lost") {
      word = "lost";
      text = "Connection lost";
      const old = seenAt ? ` The last sign of life came ${ago(age)}.` : "";
      banner = `Connection lost: ${status.why}. Trying again.${old}`;
    } else if (status.is === "busy") {
      word = "stale";
      text = "Not live";
      banner = `Nothing is told as it happens: ${status.why}. Trying again.`;
    } else if (status.is === "unauthorized") {
      word = "lost";
      text = "Token wanted";
      banner = "The endpoint asks for a token. Press r to give it.";
    } else if (status.is === "absent") {
      word = "stale";
      text = "Not watched";
      banner = `No findings over time: ${status.why}`;
    }
    if (!banner && Date.now() - restartedAt < kTold) banner = `The process was started anew: another one answers since ${clock(restartedAt * 1e6)}.`;
    if (this.complaint) banner = this.complaint;
    this.state.className = `status ${word}`;
    setText(this.state, text);
    this.banner.hidden = banner === "";
    setText(this.banner, banner);
  }

  private makeTokenDialog(): void {
    const input = h("input", {
      type: "password",
      name: "token",
      autocomplete: "off",
      required: true,
      id: "token-input",
    });
    const why = h("p", { class: "token-why", role: "status" });
    const form = h(
      "form",
      {
        method: "dialog",
        on: {
          submit: (e) => {
            e.preventDefault();
            const isOne = this.client.setToken(input.value.trim());
            input.value = "";
            if (!isOne) return setText(why, "That cannot be a token: it may have letters, digits and -._~+/ only, and = at its end.");
            this.dialog.close();
            this.live.start();
            this.startAnew();
          },
        },
      },
      h("h2", { id: "token-title" }, "This endpoint asks for a token"),
      why,
      h("label", { for: "token-input" }, "Token"),
      input,
      h("p", { class: "quiet" }, "It is what WEIR_DEBUG_TOKEN was when the program started. It is kept until this tab is closed."),
      h("button", { type: "submit", class: "primary" }, "Go on"),
    );
    fill(this.dialog, form);
  }

  private askToken(): void {
    if (this.dialog.open) return;
    const why = this.dialog.querySelector(".token-why");
    if (why) setText(why, this.client.hasToken ? "The token that was given is not the right one." : "");
    this.dialog.showModal();
  }

  private makeHelp(): void {
    const rows: [string, string][] = [
      ...kTabs.map((t): [string, string] => [t.key, t.title]),
      ["/", "Search"],
      ["r", "Look anew"],
      ["↑ ↓ Enter", "Move in a table, and open"],
      ["← ↑ → ↓ Enter Esc", "Move in a flame graph, zoom, and out again"],
      ["+ − 0", "Zoom a graph"],
      ["?", "These keys"],
    ];
    fill(
      this.help,
      h("h2", { id: "help-title" }, "Keys"),
      h("dl", {}, rows.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])),
      button("Close", () => this.help.close(), { class: "primary" }),
    );
  }

  private skip(e: Event): void {
    e.preventDefault();
    this.main.focus();
  }

  private onKey(e: KeyboardEvent): void {
    const target = e.target as HTMLElement;
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || this.dialog.open || this.help.open) return;
    this.complaint = "";
    if (target.closest("input, select, textarea")) {
      if (e.key === "Escape") target.blur();
      return;
    }
    const tab = kTabs.findIndex((t) => t.key === e.key);
    if (tab >= 0) (this.nav.children[tab] as HTMLAnchorElement | undefined)?.click();
    else if (e.key === "?") this.help.showModal();
    else if (e.key === "r" && this.live.status.is === "unauthorized") this.askToken();
    else if (e.key === "r") this.view?.refresh?.();
    else if (e.key === "/" && this.view?.search) this.view.search.focus();
    else return;
    e.preventDefault();
  }
}
