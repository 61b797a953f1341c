// What is shown, as the part of the address behind the "#": a link shows a colleague the same. It
// never reaches a server. Untrusted: anybody can make such a link.

export interface Route {
  view: string;
  params: URLSearchParams;
}

const kMostCharacters = 4000;

export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#\/?/, "").slice(0, kMostCharacters);
  const mark = text.indexOf("?");
  const view = mark < 0 ? text : text.slice(0, mark);
  return { view: view || "now", params: new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1)) };
}

export type RouteParams = Record<string, string | string[] | undefined>;

/** The link to a view; what is empty is left out. */
export function linkTo(view: string, params: RouteParams = {}): string {
  const all = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) all.append(name, one);
  }
  const query = all.toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

/** The same with some parameters changed. */
export function withParams(route: Route, changes: RouteParams): string {
  const params = new URLSearchParams(route.params);
  for (const [name, value] of Object.entries(changes)) {
    params.delete(name);
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) params.append(name, one);
  }
  const query = params.toString();
  return `#/${route.view}${query ? `?${query}` : ""}`;
}
