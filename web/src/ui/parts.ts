// Small parts that several views show.
import { ApiError, type Client, isAbort } from "../api/client";
import type { Certainty, Place } from "../api/types";
import { shortPlace, wholePlace } from "../model/format";
import { filterOf, serverFilter } from "../model/groups";
import type { Route } from "../state/route";
import { button, fill, h, save, svg } from "./dom";

/** Function and place, one below the other or in a row. */
export function placeLine(p: Place | null | undefined): HTMLElement {
  if (!p) return h("span", { class: "place unknown" }, "not known");
  const where = shortPlace(p);
  return h(
    "span",
    { class: "place", title: `${p.function}\n${wholePlace(p)}` },
    h("span", { class: "function" }, p.function),
    where ? h("span", { class: "file" }, where) : null,
  );
}

/** A stack as dumps print it. */
export function stackList(stack: (Place | null)[]): HTMLElement {
  if (stack.length === 0) return h("p", { class: "quiet" }, "The stack is not known.");
  return h(
    "ol",
    { class: "stack" },
    stack.map((p) =>
      h(
        "li",
        {},
        h("span", { class: "function" }, p?.function ?? "???"),
        h("span", { class: "file" }, wholePlace(p)),
      ),
    ),
  );
}

const kMarks: Record<Certainty, string> = {
  certain: "M8 1 15.500 14.500H.500Z", // a triangle
  likely: "M8 .500 15.500 8 8 15.500.500 8Z", // a diamond
  suspect: "M8 1.500a6.500 6.500 0 1 0 0 13a6.500 6.500 0 1 0 0-13", // a ring
};

/** Told by shape and word; colour is for those who see it. */
export function certaintyBadge(c: Certainty): HTMLElement {
  return h(
    "span",
    { class: `badge ${c}` },
    svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: kMarks[c] })),
    c,
  );
}

/** A line of numbers over time, from 0. */
export function sparkline(values: number[], label: string): SVGElement {
  const width = 120;
  const height = 32;
  const most = Math.max(1, ...values);
  const step = width / Math.max(1, values.length - 1);
  const at = values.map((v, i) => `${(i * step).toFixed(1)},${(height - 2 - (v / most) * (height - 4)).toFixed(1)}`);
  return svg(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("polygon", { class: "area", points: `0,${height} ${at.join(" ")} ${width},${height}` }),
    svg("polyline", { class: "line", points: at.join(" ") }),
  );
}

/** What went wrong, in a sentence, and what can be done. */
export function troubleText(e: unknown): string {
  if (e instanceof ApiError) {
    if (e.trouble === "busy") return `The endpoint is busy: ${e.message.replace(/^busy: /, "")}`;
    if (e.trouble === "offline") return "The process does not answer. Has it ended, or is the network gone?";
    if (e.trouble === "unauthorized") return "The endpoint asks for a token.";
    return `The endpoint says: ${e.message}`;
  }
  return e instanceof Error ? e.message : String(e);
}

export function troubleBox(e: unknown, again: () => void): HTMLElement | null {
  if (isAbort(e)) return null;
  return h(
    "div",
    { class: "trouble", role: "alert" },
    h("p", {}, troubleText(e)),
    button("Try again", again),
  );
}

export function loading(what: string): HTMLElement {
  return h("p", { class: "loading", role: "status" }, what);
}

/** Saves the goroutines that the filter is for, as a profile for `go tool pprof`. */
export function profileButton(client: Client, route: () => Route | null, trouble: HTMLElement): HTMLElement {
  const run = (): void => {
    const asked = serverFilter(filterOf(route()?.params ?? new URLSearchParams()));
    client
      .ask("goroutine", asked)
      .then((response) => response.blob())
      .then(
        (profile) => save(profile, "goroutine.pb.gz"),
        (e: unknown) => fill(trouble, troubleBox(e, run)),
      );
  };
  return button("Save as pprof", run);
}
