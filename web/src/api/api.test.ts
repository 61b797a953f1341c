import { describe, expect, test, vi } from "vitest";
import { ApiError, Client, queryOf, retryAfter } from "./client";
import { EventParser } from "./events";

class Kept {
  private readonly all = new Map<string, string>();
  getItem = (k: string) => this.all.get(k) ?? null;
  setItem = (k: string, v: string) => void this.all.set(k, v);
  removeItem = (k: string) => void this.all.delete(k);
}

function clientThatGets(...responses: (Response | Error)[]): { client: Client; asked: Request[] } {
  const asked: Request[] = [];
  vi.stubGlobal("fetch", (url: URL, init: RequestInit) => {
    asked.push(new Request(url, init));
    const next = responses.shift();
    return next instanceof Response ? Promise.resolve(next) : Promise.reject(next ?? new TypeError("no answer"));
  });
  return { client: new Client(new URL("http://host/prefix/debug/"), new Kept()), asked };
}

describe("queryOf", () => {
  test("leaves out what is empty, repeats lists, escapes", () => {
    expect(queryOf({ q: "a b&c", label: ["x=1", "y"], none: "", not: undefined, n: 0 })).toBe("q=a+b%26c&label=x%3D1&label=y&n=0");
  });
});

describe("retryAfter", () => {
  test("seconds, dates and nonsense, within bounds", () => {
    expect(retryAfter("2")).toBe(2000);
    expect(retryAfter("0")).toBe(250);
    expect(retryAfter("86400")).toBe(30_000);
    expect(retryAfter(null)).toBe(1000);
    expect(retryAfter("soon")).toBe(1000);
    expect(retryAfter("Thu, 01 Jan 1970 00:00:05 GMT", 0)).toBe(5000);
  });
});

describe("Client", () => {
  test("asks below the path where it is, and never has the token in an address", async () => {
    const { client, asked } = clientThatGets(new Response("{}"));
    client.setToken("s3cret");
    await client.json("leaks", { format: "json" });
    expect(asked[0]?.url).toBe("http://host/prefix/debug/leaks?format=json");
    expect(asked[0]?.headers.get("Authorization")).toBe("Bearer s3cret");
  });

  test("takes no token that cannot be one", async () => {
    const { client, asked } = clientThatGets(new Response("{}"));
    for (const bad of ["tok\u20acn", "a b", "a\nb", "=a"]) expect(client.setToken(bad)).toBe(false);
    expect(client.hasToken).toBe(false);
    expect(client.setToken("aB0-._~+/==")).toBe(true);
    await client.json("leaks");
    expect(asked[0]?.headers.get("Authorization")).toBe("Bearer aB0-._~+/==");
  });

  test("tells what is wrong", async () => {
    for (const [status, trouble] of [[401, "unauthorized"], [404, "missing"], [400, "refused"], [500, "broken"]] as const) {
      const { client } = clientThatGets(new Response("why\n", { status }));
      await expect(client.json("x")).rejects.toMatchObject({ trouble });
    }
    await expect(clientThatGets(new TypeError("refused")).client.json("x")).rejects.toMatchObject({ trouble: "offline" });
    await expect(clientThatGets(new Response("{")).client.json("x")).rejects.toMatchObject({ trouble: "broken" });
  });

  test("asks again when it is busy, as long as it was told to wait, but not for ever", async () => {
    vi.useFakeTimers();
    try {
      const busy = () => new Response("busy", { status: 503, headers: { "Retry-After": "2" } });
      const { client, asked } = clientThatGets(busy(), new Response('{"a":1}'));
      const answer = client.json("x");
      await vi.advanceTimersByTimeAsync(1999);
      expect(asked.length).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(await answer).toEqual({ a: 1 });

      const never = clientThatGets(busy(), busy(), busy(), busy(), busy());
      const failure = never.client.json("x").catch((e: unknown) => e);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await failure).toBeInstanceOf(ApiError);
      expect(never.asked.length).toBe(4);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("EventParser", () => {
  test("events over pieces, comments and carriage returns", () => {
    const p = new EventParser();
    expect(p.push("retry: 2000\n\n: hello\n\nid: 7\nevent: obs")).toEqual([]);
    expect(p.push('ervation\r\ndata: {"a":\ndata:1}\n\n')).toEqual([{ id: "7", type: "observation", data: '{"a":\n1}' }]);
    expect(p.push("data: x\n\n")).toEqual([{ id: "7", type: "message", data: "x" }]);
  });

  test("is bounded", () => {
    const p = new EventParser();
    expect(() => {
      for (let i = 0; i < 100; i++) p.push("x".repeat(100_000));
    }).toThrow();
  });
});
