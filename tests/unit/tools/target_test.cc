// TARGET of the weir command: what it means, in which order an endpoint is asked for what, and what
// is said when it cannot be had.

#include "target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <string>

#include <weir/http/debug_server.h>

#include "failure.h"
#include "raw_server.h"
#include "temporary.h"

namespace weir::tools {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawServer;
using ::testing::StartsWith;
using testing::TemporaryDir;

const std::string kFixtures = WEIR_FIXTURES;

FetchOptions quiet() {
  FetchOptions options;
  options.quiet = true;
  return options;
}

// What is said of a target that cannot be had.
std::string failure(const std::string& target, const FetchOptions& options = quiet()) {
  try {
    load(target, options);
  } catch (const Failure& e) {
    return e.what();
  }
  return "no failure";
}

std::string request_line(const std::string& head) { return head.substr(0, head.find(" HTTP/")); }

std::vector<std::string> request_lines(const RawServer& server) {
  std::vector<std::string> lines;
  for (const std::string& head : server.heads()) lines.push_back(request_line(head));
  return lines;
}

bool asks_for(const std::string& head, const std::string& path) {
  return request_line(head) == "GET " + path;
}

std::string fixture(const std::string& name) { return TemporaryDir::read(kFixtures + "/" + name); }

constexpr const char* kSmallDebug1 =
    "goroutine profile: total 1\n1 @ 0x437556 0x40619b\n#\t0x4b515a\tmain.worker+0x1a\ta.go:13\n\n";
constexpr const char* kSmallDebug2 =
    "goroutine 7 [chan receive]:\nmain.worker(0x1)\n\t/src/a.go:13 +0x1a\n";

TEST(Target, UrlsAndUnixSocketsAreEndpointsFilesAreNot) {
  EXPECT_TRUE(is_endpoint("http://127.0.0.1:6060"));
  EXPECT_TRUE(is_endpoint("https://example.com/debug/goroutine"));
  EXPECT_TRUE(is_endpoint("unix:/run/weir.sock"));
  EXPECT_FALSE(is_endpoint("dump.json"));
  EXPECT_FALSE(is_endpoint("-"));
}

TEST(Target, WeirsEndpointIsReadWhole) {
  const TemporaryDir dir;
  const std::string socket = "unix:" + dir.path("s");
  http::DebugOptions debug;
  debug.address = socket;
  debug.token = "sesame";
  debug.observe = std::chrono::milliseconds(0);
  const http::DebugServer over_socket(debug);
  debug.address = "127.0.0.1:0";
  const http::DebugServer over_tcp(debug);
  FetchOptions options = quiet();
  options.token = "sesame";
  for (const std::string& target : {socket, over_tcp.url(), over_tcp.url() + "/debug/ui/"}) {
    EXPECT_EQ(load(target, options).source, "weir") << target;
    EXPECT_THAT(get(target, "/debug/sched", options), HasSubstr("processors (Ps)")) << target;
  }
  EXPECT_THAT(failure(socket), HasSubstr("401 Unauthorized: it wants a token: give --token"));
  options.token = "simsim";
  EXPECT_THAT(failure(over_tcp.url(), options),
              AllOf(StartsWith(over_tcp.url() + ": 401 Unauthorized: the token is wrong"),
                    Not(HasSubstr("simsim"))));
}

TEST(Target, AGoProgramIsAskedForCountsFirstAndStoppedOnlyWhenItIsSmall) {
  const RawServer go([](const std::string& head) {
    if (asks_for(head, "/debug/pprof/goroutine?debug=1")) return RawServer::ok(kSmallDebug1);
    if (asks_for(head, "/debug/pprof/goroutine?debug=2")) return RawServer::ok(kSmallDebug2);
    return RawServer::status("404 Not Found", "", "404 page not found\n");
  });
  for (const char* path : {"", "/", "/debug/pprof/", "/debug"}) {
    const profiler::Snapshot s = load(go.url() + path, quiet());
    ASSERT_EQ(s.groups.size(), 1U) << path;
    EXPECT_EQ(s.groups[0].wait_reason, "chan receive");
    ASSERT_EQ(s.groups[0].members.size(), 1U);
    EXPECT_EQ(s.groups[0].members[0].goid, 7U);
  }
  const auto lines = request_lines(go);
  ASSERT_GE(lines.size(), 3U);
  EXPECT_EQ(lines[0], "GET /debug/goroutine?format=json");
  EXPECT_EQ(lines[1], "GET /debug/pprof/goroutine?debug=1");
  EXPECT_EQ(lines[2], "GET /debug/pprof/goroutine?debug=2");
}

TEST(Target, ALargeGoProgramIsNeverStopped) {
  const RawServer go([](const std::string& head) {
    if (!asks_for(head, "/debug/pprof/goroutine?debug=1")) {
      return RawServer::status("404 Not Found");
    }
    return RawServer::ok(
        "goroutine profile: total 10001\n10001 @ 0x437556\n#\t0x1\tf+0x1\ta:1\n\n");
  });
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(load(go.url(), {}).total, 10'001U);
  EXPECT_EQ(load(go.url(), {}).total, 10'001U);
  const std::string note = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(note, StartsWith("weir: " + go.url() + ": note: 10001 goroutines: without ids"));
  EXPECT_EQ(std::count(note.begin(), note.end(), '\n'), 1) << "told once: " << note;
  for (const std::string& line : request_lines(go)) EXPECT_THAT(line, Not(HasSubstr("debug=2")));
}

TEST(Target, AFullUrlIsFetchedAsItIs) {
  const RawServer go([](const std::string&) { return RawServer::ok(kSmallDebug2); });
  EXPECT_EQ(load(go.url() + "/a/debug/pprof/goroutine?debug=2&x=%20y", quiet()).total, 1U);
  EXPECT_EQ(load(go.url() + "/latest?of=orders", quiet()).total, 1U);
  EXPECT_THAT(request_lines(go),
              ElementsAre("GET /a/debug/pprof/goroutine?debug=2&x=%20y", "GET /latest?of=orders"));
  get(go.url() + "/a/debug/pprof/goroutine?debug=2", "/debug/leaks?format=json", quiet());
  EXPECT_EQ(request_lines(go).back(), "GET /a/debug/leaks?format=json");
}

TEST(Target, BehindAProxyThePathComesFirstAndADumpMayJustLieThere) {
  const RawServer server([](const std::string& head) {
    return asks_for(head, "/dumps/today.txt") ? RawServer::ok(kSmallDebug2)
                                              : RawServer::status("404 Not Found");
  });
  EXPECT_EQ(load(server.url() + "/dumps/today.txt", quiet()).total, 1U);
  EXPECT_THAT(
      request_lines(server),
      ElementsAre("GET /dumps/today.txt/debug/goroutine?format=json",
                  "GET /dumps/today.txt/debug/pprof/goroutine?debug=1", "GET /dumps/today.txt"));
  EXPECT_THAT(failure(server.url()), HasSubstr("no debug endpoint there: neither weir's"));
}

TEST(Target, AProgramThatAnswersEveryPathIsStillAskedAsGo) {
  for (const std::string& everywhere :
       {RawServer::ok("<html>shop</html>"), RawServer::status("401 Unauthorized"),
        RawServer::status("302 Found", "Location: /login\r\n")}) {
    const RawServer go([&everywhere](const std::string& head) {
      if (asks_for(head, "/debug/pprof/goroutine?debug=1")) return RawServer::ok(kSmallDebug1);
      if (asks_for(head, "/debug/pprof/goroutine?debug=2")) return RawServer::ok(kSmallDebug2);
      return asks_for(head, "/login") ? RawServer::ok("<form>") : everywhere;
    });
    EXPECT_EQ(load(go.url(), quiet()).groups.at(0).wait_reason, "chan receive");
  }
}

TEST(Target, TheTokenGoesToNoOtherHost) {
  const RawServer other([](const std::string&) { return RawServer::ok(kSmallDebug2); });
  const RawServer first([&other](const std::string& head) {
    return asks_for(head, "/debug/here?a") ? RawServer::ok(kSmallDebug2)
           : asks_for(head, "/debug/same?a")
               ? RawServer::status("302 Found", "Location: /debug/here?a\r\n")
               : RawServer::status("302 Found",
                                   "Location: " + other.url() + "/debug/elsewhere\r\n");
  });
  FetchOptions options = quiet();
  options.token = "sesame";
  load(first.url() + "/debug/same?a", options);
  for (const std::string& head : first.heads()) {
    EXPECT_THAT(head, HasSubstr("\r\nAuthorization: Bearer sesame\r\n"));
  }
  load(first.url() + "/debug/x?a", options);
  ASSERT_EQ(other.heads().size(), 1U);
  EXPECT_THAT(other.heads()[0], Not(HasSubstr("sesame")));
  options.token = "two\r\nX-Evil: 1";
  EXPECT_EQ(failure(first.url(), options), "--token: it has characters that no token can have");
}

TEST(Target, WhatAServerCanDoWrongIsTold) {
  struct Case {
    std::string answer, expected;
  };
  const std::string huge(100'000, 'x');
  for (const Case& c : {
           Case{RawServer::status("403 Forbidden", "", "use localhost\nor else"),
                "403 Forbidden (it says: use localhost)"},
           Case{RawServer::status("403 Forbidden", "", "\x1b[2Jevil"),
                "403 Forbidden (it says: \\x1b[2Jevil)"},
           Case{RawServer::status("404 Not Found"), "404 Not Found"},
           Case{RawServer::status("503 Service Unavailable", "Retry-After: 7\r\n", "busy"),
                "503 Service Unavailable; try again in 7 s (it says: busy)"},
           Case{RawServer::status("500 Oops", "", huge), "HTTP status 500 (it says: xxx"},
           Case{RawServer::ok(""), "is empty"},
           Case{RawServer::ok("<html>hello</html>"), "expected profile.proto"},
           Case{"", "closed the connection without an answer"},
           Case{"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\ngoroutine 1 [",
                "the connection broke off after 13 bytes"},
           Case{RawServer::ok("not gzip", "Content-Encoding: gzip\r\n"),
                "the answer's compression is damaged"},
           Case{RawServer::ok(huge), "the answer is larger than 9.8 KiB"},
           Case{RawServer::status("302 Found", "Location: /debug/again?\r\n"),
                "redirects in a circle"},
           Case{RawServer::status("302 Found", "Location: file:///etc/passwd\r\n"),
                "the answer is not HTTP"},
       }) {
    const RawServer server([&c](const std::string&) { return c.answer; });
    FetchOptions options = quiet();
    options.max_bytes = 10'000;
    const std::string target = server.url() + "/debug/pprof/goroutine?debug=2";
    const std::string text = failure(target, options);
    EXPECT_THAT(text, AllOf(StartsWith(target + ": "), HasSubstr(c.expected)));
    EXPECT_LT(text.size(), 400U);
  }
}

TEST(Target, AServerThatNeverAnswersIsGivenUp) {
  const RawServer silent([](const std::string&) { return "HOLD"; });
  FetchOptions options = quiet();
  options.timeout = std::chrono::milliseconds(100);
  EXPECT_THAT(failure(silent.url(), options),
              HasSubstr("no whole answer within 0.1 s; --timeout=SECONDS waits longer"));
  EXPECT_THROW(get(silent.url(), "/debug/leaks", options), Failure);
}

TEST(Target, WhoIsNotThereIsTold) {
  std::string url;
  {
    const RawServer gone([](const std::string&) { return ""; });
    url = gone.url();
  }
  EXPECT_EQ(failure(url), url + ": cannot be connected to: Connection refused");
  EXPECT_THAT(failure("unix:/nowhere/s"), HasSubstr("No such file or directory"));
  EXPECT_THAT(failure("http://no.such.host.invalid"), HasSubstr("the host cannot be found"));
  EXPECT_EQ(failure("http://"), "http://: the URL has no host");
  EXPECT_EQ(failure("http://[::1"), "http://[::1: is not a URL");
  EXPECT_EQ(failure("unix:"), "unix:: the path of the socket is missing");
}

TEST(Target, GzipAsContentCodingIsTakenOff) {
  std::string packed(1000, '\0');
  z_stream z{};
  ASSERT_EQ(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string text = kSmallDebug2;
  z.next_in = reinterpret_cast<Bytef*>(text.data());
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(packed.data());
  z.avail_out = static_cast<uInt>(packed.size());
  ASSERT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  packed.resize(z.total_out);
  deflateEnd(&z);
  const RawServer server([&packed](const std::string&) {
    return RawServer::ok(packed, "Content-Encoding: gzip\r\n");
  });
  EXPECT_EQ(load(server.url() + "/debug/pprof/goroutine?debug=2", quiet()).total, 1U);
  EXPECT_THAT(server.heads().at(0), HasSubstr("\r\nAccept-Encoding: gzip"));
}

TEST(Target, Files) {
  const TemporaryDir dir;
  EXPECT_GT(load(kFixtures + "/go1.19-goroutine.pb.gz", quiet()).total, 0U);
  EXPECT_GT(load(kFixtures + "/go1.19-panic.txt", quiet()).total, 0U);
  EXPECT_EQ(failure(dir.path("nobody")), dir.path("nobody") + ": No such file or directory");
  EXPECT_THAT(failure(dir.path("")), HasSubstr(": Is a directory"));
  EXPECT_THAT(failure(dir.write("empty", "")), HasSubstr("is empty"));
  EXPECT_THAT(failure(dir.write("garbage", "hello\n")), HasSubstr("expected profile.proto"));
  const std::string gzip = fixture("go1.19-goroutine.pb.gz");
  EXPECT_THAT(failure(dir.write("half", gzip.substr(0, gzip.size() / 2))),
              HasSubstr("gzip: the data end too early: cut off, or still being written"));
  FetchOptions options = quiet();
  options.max_bytes = 100;
  EXPECT_THAT(failure(kFixtures + "/go1.19-debug2.txt", options),
              HasSubstr("is larger than 100 bytes"));
  EXPECT_THROW(get(dir.path("half"), "/debug/leaks", quiet()), Failure);
}

TEST(Target, TextThatWasCutOffIsTakenAndToldOf) {
  const TemporaryDir dir;
  const std::string text = fixture("go1.19-debug2.txt");
  const std::string file = dir.write("cut", text.substr(0, text.size() / 2));
  ::testing::internal::CaptureStderr();
  EXPECT_GT(load(file, {}).total, 1U);
  EXPECT_EQ(
      ::testing::internal::GetCapturedStderr(),
      "weir: " + file + ": note: the dump was cut off: there were more goroutines than these\n");
  ::testing::internal::CaptureStderr();
  EXPECT_GT(load(file, quiet()).total, 1U);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Target, SeveralComeInTheirOrderAndTheFirstFailureCounts) {
  std::vector<std::string> targets;
  const TemporaryDir dir;
  for (int i = 0; i < 40; ++i) {
    targets.push_back(dir.write(std::to_string(i), "goroutine " + std::to_string(i + 1) +
                                                       " [select]:\nmain.f()\n\t/a.go:1 +0x1\n"));
  }
  const std::vector<profiler::Snapshot> all = load_all(targets, quiet());
  ASSERT_EQ(all.size(), 40U);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].groups.at(0).members.at(0).goid, i + 1);
  }
  targets[7] = dir.path("seven");
  targets[30] = dir.path("thirty");
  try {
    load_all(targets, quiet());
    FAIL() << "two targets are missing";
  } catch (const Failure& e) {
    EXPECT_EQ(std::string(e.what()), targets[7] + ": No such file or directory");
  }
  EXPECT_TRUE(load_all({}, quiet()).empty());
}

}  // namespace
}  // namespace weir::tools
