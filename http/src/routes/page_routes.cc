#include "page_routes.h"

#include <algorithm>

#include "answers.h"
#include "page/page.h"

namespace weir::http::routes {

namespace {

constexpr std::string_view kRoot = "/debug/ui/";
constexpr std::string_view kBare = "/debug/ui";

// Nothing but the page's own files is loaded, asked or run, and nobody shows it in a frame. blob:
// is for pictures that were drawn here.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types weir-svg";

const page::File* find(std::string_view path) noexcept {
  if (!path.starts_with(kRoot)) return nullptr;
  const auto files = page::files();
  const auto at = std::ranges::find(files, path.substr(kRoot.size()), &page::File::path);
  return at == files.end() ? nullptr : &*at;
}

// A list of tags, some of them weak, or a star.
bool is_known(std::string_view if_none_match, std::string_view etag) noexcept {
  return if_none_match == "*" || if_none_match.find(etag) != std::string_view::npos;
}

void secure(Answer& a) {
  a.headers.emplace_back("Content-Security-Policy", kPolicy);
  a.headers.emplace_back("Referrer-Policy", "no-referrer");
  a.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  a.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
}

}  // namespace

bool is_page(std::string_view path) noexcept {
  return path == kRoot || path == kBare || find(path);
}

std::vector<std::string> page_paths() {
  std::vector<std::string> all{std::string(kBare), std::string(kRoot)};
  for (const page::File& f : page::files()) {
    if (!f.path.empty()) all.push_back(std::string(kRoot).append(f.path));
  }
  return all;
}

Answer page(const Query& q) {
  if (q.path == kBare) {  // relative: behind a proxy it may be below another path
    Answer a = text(308, "the page is at ui/\n");
    a.headers.emplace_back("Location", "ui/");
    return a;
  }
  const page::File* const f = find(q.path);
  if (!f) {
    return text(404,
                "the page is not part of this build of weir: npm was not there. /debug/ lists what "
                "there is\n");
  }
  Answer a;
  secure(a);
  a.headers.emplace_back("ETag", f->etag);
  a.headers.emplace_back("Vary", "Accept-Encoding");
  a.headers.emplace_back("Cache-Control",
                         f->immutable ? "public, max-age=31536000, immutable" : "no-cache");
  a.content_type = f->content_type;
  if (is_known(q.if_none_match, f->etag)) {
    a.status = 304;
    return a;
  }
  a.body = f->gzip;
  a.gzipped = true;
  return a;
}

}  // namespace weir::http::routes
