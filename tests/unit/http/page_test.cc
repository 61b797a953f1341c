// /debug/ui/: the page's files, who may have them, and how long they may be kept.
#include "page/page.h"

#include <string>

#include "debug/access.h"
#include "protocol.h"
#include "routes/page_routes.h"
#include "routes/routes.h"
#include "transport_test_util.h"

namespace weir::http {
namespace {

Query query(std::string path, std::string if_none_match = {}) {
  Query q{std::move(path), [](const std::string&) { return std::string(); }};
  q.if_none_match = std::move(if_none_match);
  return q;
}

std::string field(const Answer& a, const std::string& name) {
  for (const auto& [n, value] : a.headers) {
    if (n == name) return value;
  }
  return {};
}

TEST(Page, IsThereOrSaysWhyNot) {
  const Answer a = answer(query("/debug/ui/"));
  if (page::files().empty()) {
    EXPECT_EQ(a.status, 404);
    EXPECT_NE(a.body.find("not part of this build"), std::string::npos);
    return;
  }
  EXPECT_EQ(a.status, 200);
  EXPECT_EQ(a.content_type, "text/html; charset=utf-8");
  EXPECT_TRUE(a.gzipped);
  EXPECT_EQ(field(a, "Cache-Control"), "no-cache");
  const std::string policy = field(a, "Content-Security-Policy");
  EXPECT_TRUE(policy.starts_with("default-src 'none'; ")) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
}

TEST(Page, IsAskedForWithoutATokenAndNothingElseIs) {
  const debug::Access access{false, "", "s3cret"};
  const auto status = [&](const std::string& path) {
    const auto why = access.refuse("GET", path, "localhost", "");
    return why ? why->status : 200;
  };
  for (const std::string& path : routes::page_paths()) EXPECT_EQ(status(path), 200) << path;
  for (const std::string& path : paths()) {
    if (path.starts_with("/debug/ui") || path == "/healthz") continue;
    EXPECT_EQ(status(path), 401) << path;
  }
  EXPECT_EQ(status("/debug/ui/../leaks"), 401);
  EXPECT_EQ(status("/debug/ui/nothing"), 401);
  EXPECT_EQ(access.refuse("POST", "/debug/ui/", "localhost", "")->status, 405);
}

TEST(Page, HasItsPathEndInASlash) {
  const Answer a = answer(query("/debug/ui"));
  EXPECT_EQ(a.status, 308);
  EXPECT_EQ(field(a, "Location"), "ui/");
}

TEST(Page, FilesHaveNamesTypesAndTags) {
  for (const page::File& f : page::files()) {
    const std::string path = "/debug/ui/" + std::string(f.path);
    const Answer a = answer(query(path));
    EXPECT_EQ(a.status, 200) << path;
    EXPECT_EQ(a.content_type, f.content_type);
    EXPECT_EQ(field(a, "ETag"), f.etag);
    EXPECT_EQ(field(a, "Cache-Control").find("immutable") != std::string::npos, !f.path.empty())
        << path;
    EXPECT_EQ(answer(query(path, "W/\"x\", " + std::string(f.etag))).status, 304);
    EXPECT_EQ(answer(query(path, "\"x\"")).status, 200);
  }
  EXPECT_EQ(answer(query("/debug/ui/assets/nothing.js")).status, 404);
}

TEST(Page, ComesPackedOrNotAsTheClientCan) {
  if (page::files().empty()) {
    SUCCEED() << "no page in this build";
    return;
  }
  const debug::Endpoint endpoint(DebugOptions{.address = "127.0.0.1:0"});
  debug::testing::Client plain(endpoint.address());
  plain.ask("/debug/ui/");
  const std::string text = plain.answer();
  EXPECT_NE(text.find("<!doctype html>"), std::string::npos);
  EXPECT_EQ(text.find("Content-Encoding"), std::string::npos);
  debug::testing::Client packing(endpoint.address());
  packing.ask("/debug/ui/", "Accept-Encoding: gzip\r\n");
  const std::string packed = packing.answer();
  EXPECT_NE(packed.find("Content-Encoding: gzip\r\n"), std::string::npos);
  EXPECT_NE(packed.find("\r\n\r\n\x1f\x8b"), std::string::npos);
  EXPECT_EQ(packed.find("<!doctype"), std::string::npos);
  debug::testing::Client again(endpoint.address());
  again.ask("/debug/ui/", "If-None-Match: *\r\n");
  EXPECT_EQ(debug::testing::status_of(again.answer()), 304);
}

}  // namespace
}  // namespace weir::http
