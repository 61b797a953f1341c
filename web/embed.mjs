// Packs the built page for the linker:  node embed.mjs DIST OUT
//
// Writes OUT/page.bin (all files, gzip, one behind the other), OUT/page_bytes.S (which includes it as
// it is: a compiler need not read a megabyte of numbers) and OUT/page_files.cc (the table of
// http/src/page/page.h). The same files give the same bytes.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

function* walk(dir) {
  for (const name of readdirSync(dir).sort()) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) yield* walk(path);
    else yield path;
  }
}

const [dist, out] = process.argv.slice(2);
const pieces = [];
const rows = [];
let offset = 0;
for (const file of walk(dist)) {
  const path = relative(dist, file).split(sep).join("/");
  const type = types[path.slice(path.lastIndexOf("."))];
  if (!type || !/^[\w./-]+$/.test(path)) throw new Error(`embed: no idea what ${path} is`);
  const content = readFileSync(file);
  const packed = gzipSync(content, { level: 9 });
  const etag = createHash("sha256").update(content).digest("hex").slice(0, 16);
  const name = path === "index.html" ? "" : path;
  const immutable = path.startsWith("assets/");
  rows.push(`    {"${name}", "${type}", "\\"${etag}\\"", ${immutable}, bytes(${offset}, ${packed.length})},`);
  pieces.push(packed);
  offset += packed.length;
}
if (!rows.some((r) => r.includes('{"",'))) throw new Error("embed: there is no index.html");

writeFileSync(join(out, "page.bin"), Buffer.concat(pieces));
writeFileSync(
  join(out, "page_bytes.S"),
  `  .section .rodata
  .global weir_page_bytes
weir_page_bytes:
  .incbin "${join(out, "page.bin")}"
  .section .note.GNU-stack, "", %progbits
`,
);
writeFileSync(
  join(out, "page_files.cc"),
  `// Written by web/embed.mjs.
#include "page/page.h"

#include <cstddef>

extern "C" const char weir_page_bytes[];

namespace weir::http::page {

std::span<const File> files() noexcept {
  const auto bytes = [](size_t at, size_t n) { return std::string_view(weir_page_bytes + at, n); };
  static const File all[] = {
${rows.join("\n")}
  };
  return all;
}

}  // namespace weir::http::page
`,
);
