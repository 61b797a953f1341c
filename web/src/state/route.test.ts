import { expect, test } from "vitest";
import { linkTo, parseRoute, withParams } from "./route";

test("a link and what it says are the same", () => {
  const link = linkTo("goroutines", { q: "a&b=c #<>%", label: ["x=1", "y"], state: "", site: undefined });
  const route = parseRoute(link);
  expect(route.view).toBe("goroutines");
  expect(route.params.get("q")).toBe("a&b=c #<>%");
  expect(route.params.getAll("label")).toEqual(["x=1", "y"]);
  expect(route.params.has("state")).toBe(false);
});

test("changes keep the rest", () => {
  const route = parseRoute("#/flame?q=x&label=a&label=b");
  expect(withParams(route, { q: undefined, at: "1" })).toBe("#/flame?label=a&label=b&at=1");
});

test("nothing, and nonsense", () => {
  expect(parseRoute("").view).toBe("now");
  expect(parseRoute("#").view).toBe("now");
  expect(parseRoute("#/%zz?%zz=%zz").view).toBe("%zz");
  expect(parseRoute(`#/now?q=${"x".repeat(100_000)}`).params.get("q")?.length).toBeLessThan(5000);
});
