// Asks the endpoint, and says in words what is wrong when it does not answer.
//
// The token, where there is one, stands in the Authorization field alone: never in an address, which
// histories, logs and proxies keep. It is forgotten with the tab (sessionStorage).

import { type Kept, storage as keptBy } from "../state/storage";

export type Trouble =
  | "unauthorized" // the token is missing or wrong
  | "busy" // 503: others of the kind are under way
  | "offline" // no answer at all
  | "missing" // 404
  | "refused" // any other 4xx: the text says why
  | "broken"; // 5xx, or an answer that is not what it should be

export class ApiError extends Error {
  constructor(
    readonly trouble: Trouble,
    message: string,
    readonly retryAfterMs = 0,
  ) {
    super(message);
  }
}

export type Params = Record<string, string | number | string[] | undefined>;

/** "name=value&.." of what is given; a list is a parameter that is given several times. */
export function queryOf(params: Params): string {
  const all = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) all.append(name, String(one));
  }
  return all.toString();
}

/** Retry-After in seconds or as a date, within bounds. */
export function retryAfter(field: string | null, now = Date.now()): number {
  if (!field) return 1000;
  const seconds = Number(field);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(field) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 250), 30_000) : 1000;
}

const kTokenKey = "weir-token";
const kTries = 4; // of what is answered by 503

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

export function isAbort(e: unknown): boolean {
  return e instanceof DOMException && e.name === "AbortError";
}

export class Client {
  private token: string;
  /** Called when the endpoint wants another token. */
  onUnauthorized: () => void = () => {};

  /** `base`: where /debug/ is, as the browser sees it. */
  constructor(
    readonly base: URL,
    private readonly storage: Kept = keptBy("sessionStorage"),
  ) {
    this.token = "";
    this.setToken(storage.getItem(kTokenKey) ?? "");
  }

  get hasToken(): boolean {
    return this.token !== "";
  }

  /** False: it cannot be one, and is not taken. */
  setToken(token: string): boolean {
    if (!/^[\w.~+/-]*=*$/.test(token)) return false;
    this.token = token;
    if (token) this.storage.setItem(kTokenKey, token);
    else this.storage.removeItem(kTokenKey);
    return true;
  }

  url(path: string, params: Params = {}): URL {
    const url = new URL(path, this.base);
    url.search = queryOf(params);
    return url;
  }

  /** The response, whose status is good. Waits and asks again where the endpoint is busy. */
  async ask(path: string, params: Params = {}, init: RequestInit = {}): Promise<Response> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.askOnce(path, params, init);
      } catch (e) {
        if (!(e instanceof ApiError) || e.trouble !== "busy" || tries === kTries) throw e;
        await sleep(e.retryAfterMs, init.signal ?? undefined);
      }
    }
  }

  async json<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
    const response = await this.ask(path, params, { signal });
    try {
      return (await response.json()) as T;
    } catch (e) {
      if (isAbort(e)) throw e;
      throw new ApiError("broken", "the answer broke off, or is no JSON");
    }
  }

  async text(path: string, params: Params = {}, signal?: AbortSignal): Promise<string> {
    return (await this.ask(path, params, { signal })).text();
  }

  /** By POST: of `body`, or of nothing, which asks for something to be done. */
  async post(path: string, params: Params = {}, body?: Blob, signal?: AbortSignal): Promise<Response> {
    const headers = body ? { "Content-Type": "application/octet-stream" } : undefined;
    return this.ask(path, params, { method: "POST", body, headers, signal });
  }

  private async askOnce(path: string, params: Params, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token) headers.set("Authorization", `Bearer ${this.token}`);
    let response: Response;
    try {
      response = await fetch(this.url(path, params), {
        ...init,
        headers,
        cache: "no-store",
        credentials: "same-origin",
      });
    } catch (e) {
      if (isAbort(e)) throw e;
      throw new ApiError("offline", "the process does not answer: has it ended, or the network?");
    }
    if (response.ok) return response;
    const why = (await response.text().catch(() => "")).trim().slice(0, 500);
    if (response.status === 401) {
      this.onUnauthorized();
      throw new ApiError("unauthorized", "the endpoint asks for a token");
    }
    if (response.status === 503) {
      throw new ApiError("busy", why || "busy", retryAfter(response.headers.get("Retry-After")));
    }
    if (response.status === 404) throw new ApiError("missing", why || "not found");
    if (response.status < 500) throw new ApiError("refused", why || `refused: ${response.status}`);
    throw new ApiError("broken", why || `the endpoint failed: ${response.status}`);
  }
}
