// Mux: which handler a path and a method go to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using weir::http::Handler;
using weir::http::Mux;
using weir::http::ResponseWriter;
using weir::http::ServerRequest;

Handler says(std::string text) {
  return [text](ResponseWriter& w, ServerRequest&) { w.headers().set("By", text); };
}

// A server with these patterns, and which of them answers; else the status.
struct Routed {
  explicit Routed(const std::vector<std::string>& patterns) {
    weir::http::Mux mux;
    for (const std::string& p : patterns) mux.handle(p, says(p));
    serving.emplace(mux);
  }
  std::string operator()(const std::string& method, const std::string& path) {
    const std::string answer = ask(*serving, method + " " + path + " HTTP/1.0\r\n\r\n");
    const size_t at = answer.find("\r\nBy: ");
    return at == answer.npos ? answer.substr(9, 3)
                             : answer.substr(at + 6, answer.find("\r\n", at + 6) - at - 6);
  }
  std::optional<Serving> serving;
};

template <class F>
void with_net(F f) {
  weir::run([&] { leaving_nothing(f); });
}

TEST(HttpMux, TheMoreSpecialOneWins) {
  with_net([] {
    Routed r({"/", "/{$}", "/a", "/a/", "/a/b", "/a/{x}", "/a/{x}/c", "/a/b/{y...}", "/{x}/{y}",
              "/a/{x}/{$}"});
    struct {
      const char *path, *by;
    } const cases[] = {
        {"/", "/{$}"},
        {"/x", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"/a/b", "/a/b"},
        {"/a/x", "/a/{x}"},
        {"/a/x/", "/a/{x}/{$}"},
        {"/a/x/c", "/a/{x}/c"},
        {"/a/b/c", "/a/b/{y...}"},
        {"/a/b/", "/a/b/{y...}"},
        {"/a/x/d", "/a/"},
        {"/x/y", "/{x}/{y}"},
        {"/x/", "/"},
        {"/x/y/z", "/"},
        {"/%61/b", "/a/b"},
        {"/a?/b", "/a"},
        {"//", "/"},
    };
    for (const auto& c : cases) EXPECT_EQ(r("GET", c.path), c.by) << c.path;
  });
}

TEST(HttpMux, Methods) {
  with_net([] {
    Routed r({"GET /a", "/a", "POST /a", "HEAD /h", "GET /h", "GET /only", "PUT /only",
              "DELETE /x/", "GET /{any}", "PROPFIND /dav"});
    EXPECT_EQ(r("GET", "/a"), "GET /a");
    EXPECT_EQ(r("HEAD", "/a"), "GET /a");
    EXPECT_EQ(r("POST", "/a"), "POST /a");
    EXPECT_EQ(r("PUT", "/a"), "/a");
    EXPECT_EQ(r("HEAD", "/h"), "HEAD /h");
    EXPECT_EQ(r("GET", "/h"), "GET /h");
    EXPECT_EQ(r("HEAD", "/only"), "GET /only");
    EXPECT_EQ(r("POST", "/only"), "405");
    EXPECT_EQ(r("GET", "/dav"), "GET /{any}") << "the literal one is for another method";
    EXPECT_EQ(r("PROPFIND", "/dav"), "PROPFIND /dav");
    EXPECT_EQ(r("GET", "/x/y"), "405");
    EXPECT_EQ(r("GET", "/y/z"), "404");
    EXPECT_EQ(r("get", "/a"), "/a") << "methods have a case";
    EXPECT_EQ(r("OPTIONS", "*"), "404");
  });
}

TEST(HttpMux, AllowNamesTheMethods) {
  with_net([] {
    Routed r({"PUT /a", "GET /a", "HEAD /a", "POST /{x}", "GET /{x}"});
    const std::string answer = ask(*r.serving, "DELETE /a HTTP/1.0\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nAllow: GET, HEAD, POST, PUT\r\n"));
    EXPECT_EQ(body_of(answer), "method not allowed\n");
    EXPECT_EQ(body_of(ask(*r.serving, "GET /a/b HTTP/1.0\r\n\r\n")), "404 page not found\n");
  });
}

TEST(HttpMux, TheOrderOfAddingDoesNotCount) {
  with_net([] {
    for (const bool head_first : {false, true}) {
      Routed r(head_first ? std::vector<std::string>{"HEAD /", "GET /"}
                          : std::vector<std::string>{"GET /", "HEAD /"});
      EXPECT_EQ(r("HEAD", "/"), "HEAD /");
      EXPECT_EQ(r("GET", "/"), "GET /");
    }
  });
}

TEST(HttpMux, Values) {
  with_net([] {
    Mux mux;
    const auto show = [](ResponseWriter& w, ServerRequest& r) {
      for (const char* name : {"a", "b", "rest", "none"}) {
        w.write(std::string(name) + "=" + std::string(r.path_value(name)) + ";");
      }
    };
    mux.handle("/v/{a}/{b}", show);
    mux.handle("/v/{a}/x/{rest...}", show);
    mux.handle("/v/{b}/y/", show);
    Serving s(mux);
    const auto get = [&s](const std::string& path) {
      return body_of(ask(s, "GET " + path + " HTTP/1.0\r\n\r\n"));
    };
    EXPECT_EQ(get("/v/1/2"), "a=1;b=2;rest=;none=;");
    EXPECT_EQ(get("/v/a%20b/%E2%82%AC"), "a=a b;b=\xe2\x82\xac;rest=;none=;");
    EXPECT_EQ(get("/v/1/x/2/3/"), "a=1;b=;rest=2/3/;none=;");
    EXPECT_EQ(get("/v/1/x/"), "a=1;b=;rest=;none=;");
    EXPECT_EQ(get("/v/1/x"), "a=1;b=x;rest=;none=;") << "back from where it went wrong";
    EXPECT_EQ(get("/v/1/y/2"), "a=;b=1;rest=;none=;");
    EXPECT_EQ(get("/v//2"), "404 page not found\n") << "a name is for something";
  });
}

TEST(HttpMux, MalformedPatterns) {
  struct {
    const char *pattern, *why;
  } const cases[] = {
      {"", "does not start with /"},
      {"a", "does not start with /"},
      {"GET", "does not start with /"},
      {"GET ", "does not start with /"},
      {"GET a", "does not start with /"},
      {"h.com/a", "does not start with /"},
      {" /a", "the method is no word"},
      {"G{T /a", "the method is no word"},
      {"//", "an empty segment"},
      {"/a//b", "an empty segment"},
      {"/{$}/a", "{$} is for the end"},
      {"/{x...}/a", "{name...} is for the end"},
      {"/{}", "without a name"},
      {"/{...}", "without a name"},
      {"/{x}/{x}", "two wildcards of one name"},
      {"/{x}/{x...}", "two wildcards of one name"},
      {"/a{x}", "a whole segment"},
      {"/{x}b", "a whole segment"},
      {"/{x", "a whole segment"},
      {"/x}", "a whole segment"},
      {"/taken", "there is such a one already"},
      {"/taken/{other}", "there is such a one already"},
      {"/taken/all/{other...}", "there is such a one already"},
  };
  Mux mux;
  mux.handle("/taken", says("1"));
  mux.handle("/taken/{x}", says("1"));
  mux.handle("/taken/all/", says("1"));
  for (const auto& c : cases) {
    const std::string why = thrown([&] { mux.handle(c.pattern, says("")); });
    EXPECT_THAT(why, HasSubstr("pattern \"" + std::string(c.pattern) + "\": ")) << c.pattern;
    EXPECT_THAT(why, HasSubstr(c.why)) << c.pattern;
  }
  mux.handle("GET /taken", says("2"));
  mux.handle("GET   /spaces", says("3"));
}

TEST(HttpMux, AnEmptyOne) {
  with_net([] {
    Serving s((Mux()));
    EXPECT_THAT(ask(s, "GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  });
}

}  // namespace
