// Rules of the house that a compiler does not check: nothing of the observed process is ever read as
// markup, and nothing comes from elsewhere.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

function* sources(dir: string): Generator<string> {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (path.endsWith(".ts") && !path.endsWith(".test.ts")) yield path;
  }
}

const kForbidden =
  /\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|srcdoc|setHTMLUnsafe|eval\(|new Function|EventSource|setAttribute\(\s*["'](on|style|srcdoc))/;

test("no text becomes markup or code", () => {
  const found = [...sources("src")].flatMap((path) =>
    readFileSync(path, "utf8")
      .split("\n")
      .map((line, i) => `${path}:${i + 1}: ${line}`)
      .filter((line) => kForbidden.test(line.replace(/\/\/.*$/, ""))),
  );
  expect(found.filter((line) => !/EventSource could not/.test(line))).toEqual([]);
});

test("a parser of markup stands in one place alone", () => {
  const users = [...sources("src")].filter((path) => /DOMParser/.test(readFileSync(path, "utf8")));
  expect(users.map((u) => u.replaceAll("\\", "/"))).toEqual(["src/ui/svg_graph.ts"]);
});

test("nothing is loaded from elsewhere", () => {
  const all = [...sources("src"), "index.html", "src/style.css"];
  const found = all.filter((path) => /https?:\/\/(?!www\.w3\.org\/(2000\/svg|1999\/xlink))/.test(readFileSync(path, "utf8")));
  expect(found).toEqual([]);
});

test("the lock file names no place where packages come from", () => {
  expect(readFileSync("package-lock.json", "utf8")).not.toMatch(/"resolved"/);
});
