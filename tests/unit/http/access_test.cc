// Who may ask: tokens, Hosts, and addresses that are listened on.
#include "debug/access.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <weir/http/debug_server.h>
#include <weir/http/error.h>

#include "transport_test_util.h"

namespace weir::http::debug::testing {
namespace {

std::string why_not(const std::function<void()>& f) {
  try {
    f();
  } catch (const error& e) {
    return e.what();
  }
  return "";
}

std::string address_error(const std::string& text) {
  return why_not([&] { parse_address(text); });
}

class Directory {
 public:
  Directory() {
    std::string name = ::testing::TempDir() + "weir-http-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

TEST(Address, Forms) {
  EXPECT_EQ(parse_address("127.0.0.1:6060").url(), "http://127.0.0.1:6060");
  EXPECT_EQ(parse_address(":0").url(), "http://127.0.0.1:0");
  EXPECT_EQ(parse_address("[::1]:80").url(), "http://[::1]:80");
  EXPECT_EQ(parse_address("[::1]:80").host, "::1");
  EXPECT_EQ(parse_address("localhost:65535").port, 65535);
  EXPECT_EQ(parse_address("unix:/a/b").url(), "unix:/a/b");
  for (const char* bad : {"", "here", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                          "127.0.0.1:1x", "::1:80", "unix:", ":"}) {
    EXPECT_NE(address_error(bad).find("cannot listen on \"" + std::string(bad) + "\": "),
              std::string::npos)
        << bad << ": " << address_error(bad);
  }
}

TEST(Address, WhatCannotBeListenedOnIsSaid) {
  const auto listen = [](const std::string& text) {
    return why_not([&] { Listener l(parse_address(text)); });
  };
  const Listener first(parse_address("127.0.0.1:0"));
  EXPECT_NE(first.address().port, 0);
  EXPECT_NE(listen("127.0.0.1:" + std::to_string(first.address().port)).find("in use"),
            std::string::npos);
  EXPECT_NE(listen("192.0.2.1:0").find("192.0.2.1"), std::string::npos);
  EXPECT_NE(listen("unix:/nowhere/at/all").find("No such file"), std::string::npos);
  EXPECT_NE(listen("unix:/" + std::string(200, 'a')).find("longer than"), std::string::npos);
}

TEST(UnixSocket, LivesAndGoesWithItsServer) {
  const Directory home;
  const std::string path = home / "sock";
  {
    const DebugServer server("unix:" + path);
    EXPECT_EQ(server.url(), "unix:" + path);
    EXPECT_EQ(server.port(), 0);
    struct stat file;
    ASSERT_EQ(stat(path.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u);
    Client c(parse_address("unix:" + path));
    c.ask("/healthz");
    EXPECT_EQ(status_of(c.answer()), 200);
    c.send("GET /healthz HTTP/1.1\r\nHost: any.name\r\n\r\n");
    EXPECT_EQ(status_of(c.answer()), 200);
    const std::string why = why_not([&] { DebugServer second("unix:" + path); });
    EXPECT_NE(why.find("another process listens there"), std::string::npos) << why;
    EXPECT_EQ(stat(path.c_str(), &file), 0) << "a live one's file stays";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(UnixSocket, ReplacesWhatADeadProcessLeft) {
  const Directory home;
  const std::string path = home / "sock";
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  close(dead);
  ASSERT_TRUE(std::filesystem::exists(path));
  const DebugServer server("unix:" + path);
  EXPECT_EQ(ask_once(parse_address("unix:" + path), "/healthz"), 200);
}

TEST(UnixSocket, TouchesNoOtherFile) {
  const Directory home;
  const std::string path = home / "file", other = home / "sock";
  std::ofstream(path) << "precious";
  const std::string why = why_not([&] { DebugServer server("unix:" + path); });
  EXPECT_NE(why.find("not a socket"), std::string::npos) << why;
  EXPECT_EQ(std::filesystem::file_size(path), 8u);
  {
    const DebugServer server("unix:" + other);
    std::filesystem::remove(other);  // somebody puts another file there meanwhile
    std::ofstream(other) << "theirs";
  }
  EXPECT_TRUE(std::filesystem::exists(other));
}

TEST_F(Transport, AsksForTheToken) {
  const Address& a = start({}, {"127.0.0.1:0", "s3cret"});
  EXPECT_EQ(ask_once(a, "/healthz"), 200);
  EXPECT_EQ(ask_once(a, "/ok", "Authorization: Bearer s3cret\r\n"), 200);
  EXPECT_EQ(ask_once(a, "/ok", "authorization: bearer  s3cret\r\n"), 200);
  for (const char* wrong :
       {"", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret2", "Bearer S3cret", "Basic s3cret",
        "s3cret", "Bearer s3cret s3cret", "Bearer %733cret"}) {
    EXPECT_EQ(ask_once(a, "/ok", "Authorization: " + std::string(wrong) + "\r\n"), 401) << wrong;
  }
  for (const char* path : {"/ok", "/large", "/none", "/healthz/", "/./healthz", "//healthz"}) {
    EXPECT_EQ(ask_once(a, path), 401) << path;
  }
  Client c(a);
  c.ask("/ok", "Authorization: Bearer guess\r\n");
  const std::string got = c.answer();
  EXPECT_NE(got.find("\r\nWWW-Authenticate: Bearer\r\n"), std::string::npos);
  EXPECT_EQ(got.find("guess"), std::string::npos);
  EXPECT_EQ(got.find("s3cret"), std::string::npos);
}

TEST(Token, OfTheEnvironment) {
  setenv("WEIR_DEBUG_TOKEN", "from-outside", 1);
  {
    const DebugServer server("127.0.0.1:0");
    const Address a{"127.0.0.1", server.port(), ""};
    EXPECT_EQ(ask_once(a, "/debug/"), 401);
    EXPECT_EQ(ask_once(a, "/debug/", "Authorization: Bearer from-outside\r\n"), 200);
  }
  setenv("WEIR_DEBUG_TOKEN", "", 1);
  EXPECT_NE(why_not([] { DebugServer server("127.0.0.1:0"); }).find("WEIR_DEBUG_TOKEN"),
            std::string::npos);
  setenv("WEIR_DEBUG_TOKEN", "two words", 1);
  const std::string why = why_not([] { DebugServer server("127.0.0.1:0"); });
  EXPECT_NE(why.find("token"), std::string::npos);
  EXPECT_EQ(why.find("two words"), std::string::npos) << "it is a secret, still";
  unsetenv("WEIR_DEBUG_TOKEN");
}

TEST(Token, IsWarnedAboutWhereItIsMissed) {
  ::testing::internal::CaptureStderr();
  { const DebugServer server(DebugOptions{"127.0.0.1:0"}); }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  ::testing::internal::CaptureStderr();
  { const DebugServer server(DebugOptions{"0.0.0.0:0"}); }
  const std::string warning = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(warning.find("[warning]"), std::string::npos) << warning;
  EXPECT_NE(warning.find("WEIR_DEBUG_TOKEN"), std::string::npos) << warning;
  ::testing::internal::CaptureStderr();
  { const DebugServer server(DebugOptions{"0.0.0.0:0", "s3cret"}); }
  const std::string info = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(info.find("[info]"), std::string::npos) << info;
  EXPECT_EQ(info.find("s3cret"), std::string::npos) << info;
}

TEST_F(Transport, AnswersOnlyToNamesOfThisMachine) {
  const Address& a = start();
  const auto ask = [&](const std::string& host) {
    Client c(a);
    c.send("GET /ok HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return status_of(c.answer());
  };
  for (const char* mine : {"localhost", "LOCALHOST:1", "127.0.0.1:6060", "127.1.2.3", "[::1]:80"}) {
    EXPECT_EQ(ask(mine), 200) << mine;
  }
  for (const char* other : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
                            "10.0.0.1", "[::1", "[fe80::1]", "localhost@evil.example"}) {
    EXPECT_EQ(ask(other), 403) << other;
  }
}

TEST(Access, PagesOfOtherOriginsDoNotPost) {
  const Access access;
  const auto status = [&](const char* method, const char* host, const char* origin) {
    const auto why = access.refuse(method, "/debug/snapshots", host, "", origin);
    return why ? why->status : 200;
  };
  EXPECT_EQ(status("POST", "localhost:6060", ""), 200) << "no browser";
  EXPECT_EQ(status("POST", "localhost:6060", "http://localhost:6060"), 200);
  for (const char* other : {"http://evil.example", "http://localhost:6061", "null", "x", "://",
                            "https://localhost:6060.evil.example"}) {
    EXPECT_EQ(status("POST", "localhost:6060", other), 403) << other;
    EXPECT_EQ(status("GET", "localhost:6060", other), 200) << "its answer cannot be read";
  }
}

}  // namespace
}  // namespace weir::http::debug::testing
