// /debug/diff: between two kept snapshots, and from a dump that somebody sends; who is asked for,
// and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include <weir/http/debug_server.h>
#include <weir/http/mount.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/groups.h>
#include <weir/weir.h>

#include "debug/respond.h"
#include "gzip_util.h"
#include "observe/observer.h"
#include "routes/routes.h"
#include "snapshot_builder.h"
#include "transport_test_util.h"

namespace weir::http {

// Where goroutines are for as long as a test wants, by name.
__attribute__((noinline)) void stay_here(const chan<bool>& until) { until.recv(); }
__attribute__((noinline)) void stay_there(const chan<bool>& until) { until.recv(); }

namespace {

using namespace std::chrono_literals;
using debug::testing::body_of;
using nlohmann::json;
using profiler::testing::gzip;
using profiler::testing::SnapshotBuilder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Answer get(const std::string& target) { return answer(debug::query_of(target, "GET", "")); }
Answer post(const std::string& target, std::string body = {}) {
  return answer(debug::query_of(target, "POST", std::move(body)));
}

uint64_t look() { return json::parse(body_of(post("/debug/snapshots")))["id"]; }

json entries(const Answer& a) {
  EXPECT_EQ(a.status, 200) << a.body;
  return json::parse(body_of(a))["entries"];
}

// "grown 3>5" of the entry whose stack is in `function`; empty: there is none.
std::string change_in(const json& entries, const std::string& function) {
  for (const json& e : entries) {
    const bool is_it = std::ranges::any_of(e["stack"], [&](const json& f) {
      return f["function"].get<std::string>().find(function) != std::string::npos;
    });
    if (!is_it) continue;
    return e["change"].get<std::string>() + " " + std::to_string(e["before"].get<int>()) + ">" +
           std::to_string(e["after"].get<int>());
  }
  return "";
}

// Runs `f` on a goroutine of a scheduler, beside an observer that looks when it is told.
template <class F>
void observed(F f) {
  weir::run([&] {
    const auto observer = observe::share(1h);
    f();
  });
}

// `n` goroutines more in a place, until the end of its scope.
class Staying {
 public:
  Staying(void (*where)(const chan<bool>&), size_t n) {
    const size_t wanted = parked() + n;
    for (size_t i = 0; i < n; ++i) {
      group_.go([where, until = until_] { where(until); });
    }
    EXPECT_TRUE(debug::testing::eventually([&] {
      weir::gosched();
      return parked() == wanted;
    }));
  }
  ~Staying() {
    until_.close();
    group_.wait();
  }
  Staying(const Staying&) = delete;
  Staying& operator=(const Staying&) = delete;

 private:
  static size_t parked() {
    const std::string dump = body_of(get("/debug/goroutine?debug=2&state=chan%20receive"));
    size_t n = 0;
    for (size_t at = 0; (at = dump.find("stay_", at)) != dump.npos; ++at) ++n;
    return n;
  }

  chan<bool> until_ = make_chan<bool>();
  TaskGroup group_;
};

TEST(Difference, FiltersHoldBetweenKeptSnapshots) {
  observed([] {
    const Staying here(stay_here, 2), there(stay_there, 1);
    const uint64_t base = look();
    const Staying more(stay_here, 3), and_there(stay_there, 1);
    const std::string diff =
        "/debug/diff?format=json&base=" + std::to_string(base) + "&to=" + std::to_string(look());
    const json all = entries(get(diff));
    EXPECT_EQ(change_in(all, "stay_here"), "grown 2>5");
    EXPECT_EQ(change_in(all, "stay_there"), "grown 1>2");
    std::string site;
    for (const json& e : all) {
      if (e["stack"].dump().find("stay_here") != std::string::npos) site = e["site"];
    }
    ASSERT_THAT(site, StartsWith("0x"));

    for (const std::string& filter : {std::string("&q=STAY_here"), "&site=" + site}) {
      const json some = entries(get(diff + filter));
      EXPECT_EQ(some.size(), 1U) << filter;
      EXPECT_EQ(change_in(some, "stay_here"), "grown 2>5") << filter;
    }
    EXPECT_EQ(change_in(entries(get(diff + "&package=weir::http")), "stay_here"), "grown 2>5");
    EXPECT_EQ(entries(get(diff + "&package=weir::htt")).size(), 0U);
    EXPECT_EQ(change_in(entries(get(diff + "&package=nobody&package=weir")), "stay_here"),
              "grown 2>5");
    EXPECT_EQ(entries(get(diff + "&age=1000000")).size(), 0U);
    EXPECT_EQ(change_in(entries(get(diff + "&age=0.000000001")), "stay_here"), "grown 2>5");
    EXPECT_EQ(entries(get(diff + "&state=sleep")).size(), 0U);
    EXPECT_EQ(entries(get(diff + "&label=nobody")).size(), 0U);
    const json told = json::parse(body_of(get(diff + "&q=stay_here")));
    EXPECT_GE(told["now"]["left_out"], 2);
  });
}

TEST(Difference, PicturesAreFilteredToo) {
  observed([] {
    const uint64_t base = look();
    const Staying here(stay_here, 3), there(stay_there, 2);
    const std::string ids = "&base=" + std::to_string(base) + "&to=" + std::to_string(look());
    const std::string dot = body_of(get("/debug/diff?format=dot&q=stay_here" + ids));
    EXPECT_THAT(dot, AllOf(HasSubstr("stay_here"), Not(HasSubstr("stay_there"))));
    const Answer svg = get("/debug/diff?format=svg&package=weir::http" + ids);
    EXPECT_EQ(svg.content_type, "image/svg+xml");
    EXPECT_THAT(svg.body, HasSubstr("<svg"));
  });
}

TEST(Goroutines, PackageAgeAndSiteHoldInEveryFormat) {
  observed([] {
    const Staying here(stay_here, 2), there(stay_there, 1);
    const json groups = json::parse(body_of(get("/debug/goroutine?format=groups")));
    std::string site;
    for (const json& g : groups["groups"]) {
      if (!g.contains("blocked_at")) continue;
      const json& f = groups["frames"][g["blocked_at"].get<size_t>()];
      if (f["function"].get<std::string>().find("stay_here") != std::string::npos) {
        site = g["site"];
      }
    }
    ASSERT_THAT(site, StartsWith("0x"));
    const auto counts = [](const std::string& parameters) {
      const std::string text = body_of(get("/debug/goroutine?debug=2&" + parameters));
      size_t n = 0;
      for (size_t at = 0; (at = text.find("stay_here", at)) != text.npos; ++at) ++n;
      return std::pair(n, text.find("stay_there") != text.npos);
    };
    EXPECT_EQ(counts("site=" + site), std::pair(size_t{2}, false));
    EXPECT_EQ(counts("package=weir::http"), std::pair(size_t{2}, true));
    EXPECT_EQ(counts("package=weir::https"), std::pair(size_t{0}, false));
    EXPECT_EQ(counts("age=1000000"), std::pair(size_t{0}, false));
    EXPECT_EQ(counts("age=0.000000001"), std::pair(size_t{2}, true));
    for (const char* format : {"debug=1&", "debug=3&", "format=json&", "format=groups&", ""}) {
      const std::string path = std::string("/debug/goroutine?") + format;
      EXPECT_LT(body_of(get(path + "age=1000000")).size(), body_of(get(path)).size()) << format;
    }
    for (const char* kind : {"calls", "waits"}) {
      const std::string path = std::string("/debug/graph?format=json&kind=") + kind;
      EXPECT_THAT(body_of(get(path + "&site=" + site)),
                  AllOf(HasSubstr("stay_here"), Not(HasSubstr("stay_there"))));
    }
    for (const char* bad : {"age=-1", "age=x", "site=0xx", "package="}) {
      for (const char* path : {"/debug/goroutine", "/debug/graph", "/debug/diff"}) {
        const Answer a = get(std::string(path) + "?" + bad);
        const std::string name = std::string(bad).substr(0, std::string(bad).find('='));
        if (name == "package") continue;  // not given
        EXPECT_EQ(a.status, 400) << path << bad;
        EXPECT_THAT(a.body, StartsWith("invalid value for \"" + name + "\": expected "));
      }
    }
  });
}

TEST(PostedDump, OfEveryFormatIsTheBase) {
  observed([] {
    std::vector<std::pair<std::string, std::string>> dumps;
    {
      const Staying here(stay_here, 2);
      for (const char* format :
           {"debug=0", "debug=1", "debug=2", "debug=3", "format=json", "debug=2&state=waiting"}) {
        dumps.emplace_back(format, body_of(get(std::string("/debug/goroutine?") + format)));
      }
      dumps.emplace_back("debug=1, packed", gzip(dumps[1].second));
      const Staying more(stay_here, 3);
      const std::string to = "&to=" + std::to_string(look());
      for (const auto& [format, dump] : dumps) {
        SCOPED_TRACE(format);
        EXPECT_EQ(change_in(entries(post("/debug/diff?format=json" + to, dump)), "stay_here"),
                  "grown 2>5");
        EXPECT_THAT(body_of(post("/debug/diff?format=text&q=stay_here" + to, dump)),
                    HasSubstr("grown   +3 (2 -> 5)"));
        EXPECT_EQ(change_in(entries(post("/debug/diff?format=json&package=weir::http" + to, dump)),
                            "stay_here"),
                  "grown 2>5");
      }
      EXPECT_THAT(body_of(post("/debug/diff?format=markdown" + to, dumps[2].second)),
                  HasSubstr("stay_here"));
      EXPECT_THAT(body_of(post("/debug/diff?format=dot" + to, dumps[2].second)),
                  HasSubstr("stay_here"));
      EXPECT_THAT(post("/debug/diff?format=svg" + to, dumps[2].second).body, HasSubstr("<svg"));
      EXPECT_EQ(post("/debug/diff?ignore=stay_&format=json" + to, dumps[0].second).status, 200);
      EXPECT_EQ(
          change_in(entries(post("/debug/diff?ignore=stay_&format=json" + to, dumps[0].second)),
                    "stay_here"),
          "");
    }
  });
}

TEST(PostedDump, WhetherItIsOfThisProcessIsDecidedNotSaid) {
  observed([] {
    const Staying here(stay_here, 1);
    look();
    SnapshotBuilder other;
    other.group(other.stack({other.call(1, "elsewhere", "e.go", 1, 1)}), "select", {1, 2});
    std::string dump;
    profiler::write_json(other.snapshot, [&](std::string_view piece) {
      dump += piece;
      return true;
    });
    const json j = json::parse(body_of(post("/debug/diff?format=json", dump)));
    EXPECT_EQ(j["same_process"], false);
    EXPECT_EQ(change_in(j["entries"], "elsewhere"), "gone 2>0");
    // A goroutine has waited since before the dump: for longer than a capture takes, at last.
    std::string mine, to;
    json whole;
    EXPECT_TRUE(debug::testing::eventually([&] {
      mine = body_of(get("/debug/goroutine?format=json"));
      to = "&to=" + std::to_string(look());
      whole = json::parse(body_of(post("/debug/diff?format=json" + to, mine)));
      return whole["same_process"] == true;
    })) << whole["same_process_why"];
    // A filter leaves out whom that is known by.
    const json none = json::parse(body_of(post("/debug/diff?format=json&q=nobody" + to, mine)));
    EXPECT_EQ(none["same_process"], true);
    EXPECT_EQ(none["same_process_why"], whole["same_process_why"]);
  });
}

TEST(PostedDump, WhatIsNoneIsToldWhere) {
  observed([] {
    const std::string good = body_of(get("/debug/goroutine?debug=1"));
    const std::string packed = gzip(good);
    const std::map<std::string, std::string> dumps = {
        {"empty", ""},
        {"no dump", "hello"},
        {"markup", "<html>"},
        {"no JSON", "{\"schema\":"},
        {"other JSON", "{}"},
        {"half a gzip", packed.substr(0, packed.size() / 2)},
        {"damaged", packed.substr(0, 20) + "xxxxxxxx" + packed.substr(28)},
        {"binary", std::string("\x00\xff\x01\x02", 4)},
        {"a damaged line", "goroutine profile: total 1\n1 @ zzz\n"},
    };
    for (const auto& [what, dump] : dumps) {
      SCOPED_TRACE(what);
      const Answer a = post("/debug/diff", dump);
      EXPECT_EQ(a.status, 400) << body_of(a);
      EXPECT_EQ(a.content_type, "text/plain; charset=utf-8");
      EXPECT_THAT(a.body, testing::EndsWith("\n"));
      EXPECT_LT(a.body.size(), 400U);
    }
    EXPECT_THAT(post("/debug/diff", dumps.at("a damaged line")).body, HasSubstr("line 2"));
    EXPECT_THAT(post("/debug/diff", dumps.at("half a gzip")).body, HasSubstr("end too early"));
    EXPECT_EQ(post("/debug/diff?base=1", good).status, 400) << "two bases";
    EXPECT_EQ(post("/debug/diff?to=99999", good).status, 400);
    EXPECT_EQ(post("/debug/diff?ignore=(((", good).status, 400);
    EXPECT_EQ(post("/debug/diff", good).status, 200);
  });
  EXPECT_EQ(post("/debug/diff", "goroutine profile: total 0\n").status, 404) << "nobody looks";
}

TEST(PostedDump, WhatGrowsBeyondItsBoundsIsRefused) {
  observed([] {
    const Answer bomb = post("/debug/diff", gzip(std::string(size_t{33} << 20, '\n')));
    EXPECT_EQ(bomb.status, 413);
    EXPECT_THAT(bomb.body, HasSubstr("32 MiB unpacked"));

    // One deep stack of a long name, which each entry would have for itself.
    SnapshotBuilder deep;
    std::vector<uint32_t> calls(9'000, deep.call(1, std::string(1000, 'f'), "f.cc", 1, 1));
    const uint32_t stack = deep.stack(std::move(calls));
    for (int i = 0; i < 1000; ++i) deep.counted(stack, "reason " + std::to_string(i), 1);
    std::string dump;
    profiler::write_json(deep.snapshot, [&](std::string_view piece) {
      dump += piece;
      return true;
    });
    ASSERT_LT(dump.size(), size_t{8} << 20);
    EXPECT_EQ(post("/debug/diff", dump).status, 413);

    std::string many = "goroutine profile: total 1\n1 @";
    for (int i = 0; i < 10'001; ++i) many += " 0x" + std::to_string(1000 + i);
    EXPECT_EQ(post("/debug/diff", many + "\n\n").status, 413) << "a deep stack";
  });
}

TEST(PostedDump, MarkupInItStaysText) {
  observed([] {
    const std::string dump =
        "goroutine 1 [select]:\n</text><script>alert(1)</script>(0x1)\n\t/a\"b<i>.go:1 +0x1\n";
    const std::string svg = post("/debug/diff?format=svg", dump).body;
    EXPECT_THAT(svg, AllOf(HasSubstr("<svg"), HasSubstr("script"), Not(HasSubstr("<script")),
                           Not(HasSubstr("<i>"))));
    const std::string markdown = body_of(post("/debug/diff?format=markdown", dump));
    EXPECT_THAT(markdown, AllOf(HasSubstr("alert"), Not(HasSubstr("<script")))) << markdown;
    EXPECT_EQ(post("/debug/diff", dump).content_type, "text/plain; charset=utf-8");
  });
}

TEST(PostedDump, CostsACaptureOrAPicture) {
  EXPECT_EQ(cost(debug::query_of("/debug/diff", "POST", "")), Cost::capture);
  EXPECT_EQ(cost(debug::query_of("/debug/diff?format=svg", "POST", "")), Cost::picture);
}

// ---- over a connection ----

std::string request(const std::string& path, const std::string& body, const std::string& fields) {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

constexpr size_t kDump = size_t{8} << 20, kOther = size_t{1} << 20;
const std::string kHead = "goroutine profile: total 0\n";

std::string dump_of(size_t size) { return kHead + std::string(size - kHead.size(), '\n'); }

TEST(PostedDump, HasABoundOfItsOwn) {
  const DebugServer server({.address = "127.0.0.1:0", .token = {}, .observe = 1h});
  const debug::Address a{"127.0.0.1", server.port(), ""};
  {
    debug::testing::Client c(a);
    c.send(request("/debug/diff", dump_of(kDump), ""));
    EXPECT_EQ(debug::testing::status_of(c.answer()), 200);
    c.send("POST /debug/diff HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
           std::string("200000\r\n") + dump_of(0x200000) + "\r\n0\r\n\r\n");
    EXPECT_EQ(debug::testing::status_of(c.answer()), 200);
    c.ask("/healthz");
    EXPECT_EQ(debug::testing::status_of(c.answer()), 200) << "the connection lives on";
  }
  const std::string length = "Content-Length: " + std::to_string(kDump + 1) + "\r\n\r\n";
  for (const std::string& bytes :
       {"POST /debug/diff HTTP/1.1\r\nHost: localhost\r\n" + length,
        std::string("POST /debug/diff HTTP/1.1\r\nHost: localhost\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n800001\r\n"),
        // Elsewhere it is less.
        "POST /debug/snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
            std::to_string(kOther + 1) + "\r\n\r\n",
        "GET /debug/diff HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
            std::to_string(kOther + 1) + "\r\n\r\n"}) {
    debug::testing::Client c(a);
    c.send(bytes);
    EXPECT_EQ(debug::testing::status_of(c.answer()), 413) << bytes.substr(0, 60);
    EXPECT_TRUE(c.closed());
  }
}

TEST(PostedDump, OfAPageOfAnotherOriginIsRefused) {
  const DebugServer server({.address = "127.0.0.1:0", .token = {}, .observe = 1h});
  const debug::Address a{"127.0.0.1", server.port(), ""};
  for (const auto& [origin, status] : std::vector<std::pair<std::string, int>>{
           {"http://evil.example", 403}, {"null", 403}, {"http://localhost", 200}}) {
    debug::testing::Client c(a);
    c.send(request("/debug/diff", kHead, "Origin: " + origin + "\r\n"));
    EXPECT_EQ(debug::testing::status_of(c.answer()), status) << origin;
  }
}

TEST(PostedDump, IsTakenByAServerOfOnesOwn) {
  httplib::Server server;
  server.set_keep_alive_max_count(100);
  mount(server, {.token = "s3cret", .observe = 1h});
  const debug::Address a{"127.0.0.1", server.bind_to_any_port("127.0.0.1"), ""};
  std::thread thread([&] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::yield();
  const std::string token = "Authorization: Bearer s3cret\r\n";
  {
    debug::testing::Client c(a);
    // As curl --data-binary sends it, and as pprof does.
    for (const char* type : {"application/x-www-form-urlencoded", "application/octet-stream"}) {
      c.send(request("/debug/diff?format=json", dump_of(kDump),
                     token + "Content-Type: " + type + "\r\n"));
      EXPECT_THAT(c.answer(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("weir.diff/1")));
    }
    c.send(request("/debug/diff", dump_of(kDump + 1), token));
    EXPECT_EQ(debug::testing::status_of(c.answer()), 413);
    c.send(request("/debug/snapshots", dump_of(kOther + 1), token));
    EXPECT_EQ(debug::testing::status_of(c.answer()), 413);
    c.send(request("/debug/diff", "hello", token));
    EXPECT_EQ(debug::testing::status_of(c.answer()), 400);
    c.send(request("/debug/diff", kHead, token + "Origin: http://evil.example\r\n"));
    EXPECT_EQ(debug::testing::status_of(c.answer()), 403);
    c.send(request("/debug/diff", dump_of(kOther), ""));
    EXPECT_EQ(debug::testing::status_of(c.answer()), 401);
    const std::string part =
        "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\n" + kHead +
        "\r\n--x--\r\n";
    c.send(
        request("/debug/diff", part, token + "Content-Type: multipart/form-data; boundary=x\r\n"));
    EXPECT_EQ(debug::testing::status_of(c.answer()), 200) << "curl -F";
    c.ask("/healthz");
    EXPECT_EQ(debug::testing::status_of(c.answer()), 200)
        << "no body has been taken for the next request";
  }
  server.stop();
  thread.join();
}

}  // namespace
}  // namespace weir::http
