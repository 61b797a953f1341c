// The connections of http::Client: which are kept, for how long, and what happens to a request that
// one of them loses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using ::testing::HasSubstr;
using weir::http::Client;
using weir::http::ClientOptions;
using weir::http::Response;
using weir::http::ResponseWriter;
using weir::http::ServerOptions;
using weir::http::ServerRequest;

WEIR_NET_FOR_ALL_PROCS(HttpClientConns);

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Tells who has asked, in a body or a field.
void tell_who(ResponseWriter& w, ServerRequest& r) {
  const std::string body = r.body();
  w.headers().set("Who", r.remote_addr());
  if (r.path() == "/204") return w.write_header(204);
  if (r.path() == "/304") return w.write_header(304);
  if (r.path() == "/empty") return;
  w.write("who: ");
  if (r.path() == "/chunked") w.flush();
  w.write(r.remote_addr() + body);
}

TEST_P(HttpClientConns, OneIsUsedAgainAndAgain) {
  run([] {
    Serving s(tell_who);
    Client client;
    std::set<std::string> who;
    const auto note = [&who](Response r) {
      who.insert(std::string(r.headers.get("Who")));
      (void)r.body.read_all();
    };
    for (int i = 0; i < 3; ++i) {
      for (const char* path : {"/", "/chunked", "/204", "/304", "/empty"}) {
        note(client.get(s.url(path)));
        note(client.head(s.url(path)));
      }
      note(client.post(s.url(), "text/plain", "x"));
    }
    EXPECT_EQ(who.size(), 1u);
  });
}

// Also where nobody looks at the body that is none, and a timeout is under way.
TEST_P(HttpClientConns, AnswersWithoutABodyAreOverAtOnce) {
  run([] {
    Serving s(tell_who);
    Client client({.timeout = 60s});
    std::set<std::string> who;
    for (int i = 0; i < scaled(200); ++i) {
      for (const char* path : {"/204", "/304", "/empty"}) {
        who.insert(std::string(client.get(s.url(path)).headers.get("Who")));
      }
      who.insert(std::string(client.head(s.url()).headers.get("Who")));
    }
    EXPECT_EQ(who.size(), 1u);
  });
}

TEST_P(HttpClientConns, ABodyThatIsNotReadClosesIt) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      w.headers().set("Who", r.remote_addr());
      (void)error_of([&w] { w.write(std::string(10'000'000, 'x')); });
    });
    Client client;
    const std::string first(client.get(s.url()).headers.get("Who"));
    const std::string second(client.get(s.url()).headers.get("Who"));
    EXPECT_NE(first, second);
    EXPECT_TRUE(eventually([&s] { return s.server.connections() == 0; }));
  });
}

TEST_P(HttpClientConns, NotKeptWhereTheServerSaysSo) {
  run([] {
    for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                               "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
                               "HTTP/1.1 101 Switching Protocols\r\n\r\n",
                               "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
                               "chunked\r\n\r\n0\r\n\r\n"}) {
      Scripted s([answer](Raw& raw, int) {
        raw.message();
        raw.send(answer);
        EXPECT_EQ(raw.rest(), "") << "the client closes it: " << answer;
      });
      Client client;
      for (int i = 0; i < 2; ++i) EXPECT_EQ(client.get(s.url()).body.read_all(), "");
      EXPECT_EQ(s.accepted, 2) << answer;
    }
  });
}

TEST_P(HttpClientConns, BytesThatNobodyAskedForCloseIt) {
  run([] {
    Scripted s([](Raw& raw, int) {
      raw.message();
      raw.send(kOk + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
      EXPECT_EQ(raw.rest(), "");
    });
    Client client;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.get(s.url()).body.read_all(), "ok");
    EXPECT_EQ(s.accepted, 3);
  });
}

// As many requests at once as `n`; their connections are idle then.
void ask_at_once(Client& client, const std::string& url, int n) {
  std::vector<Response> all;
  for (int i = 0; i < n; ++i) all.push_back(client.get(url));
  for (Response& r : all) (void)r.body.read_all();
}

TEST_P(HttpClientConns, LimitsOfIdleOnes) {
  run([] {
    Serving a(tell_who), b(tell_who);
    Client client({.max_idle = 3, .max_idle_per_host = 2});
    ask_at_once(client, a.url(), 4);
    EXPECT_TRUE(eventually([&] { return a.server.connections() == 2; }));
    ask_at_once(client, b.url(), 2);
    EXPECT_TRUE(eventually([&] { return b.server.connections() == 2; }));
    EXPECT_TRUE(eventually([&] { return a.server.connections() == 1; }));
    client.close_idle_connections();
    EXPECT_TRUE(eventually([&] { return a.server.connections() + b.server.connections() == 0; }));
    Client none({.max_idle = 0});
    ask_at_once(none, a.url(), 2);
    EXPECT_TRUE(eventually([&] { return a.server.connections() == 0; }));
  });
}

TEST_P(HttpClientConns, IdleTimeout) {
  run([] {
    Serving s(tell_who);
    Client client({.idle_timeout = 30ms});
    ask_at_once(client, s.url(), 2);
    EXPECT_TRUE(eventually([&] { return s.server.connections() == 0; }));
    EXPECT_EQ(client.get(s.url()).status, 200);
  });
}

// The timer that ends an idle connection and whoever wants to use it: nobody gets a timeout.
TEST_P(HttpClientConns, IdleTimeoutWhileItIsTakenAgain) {
  run([] {
    Serving s(tell_who);
    Client client({.idle_timeout = 1ms});
    for (int i = 0; i < scaled(400); ++i) {
      EXPECT_EQ(client.get(s.url()).body.read_all().substr(0, 4), "who:");
      if (i % 4 != 0) weir::sleep_for(std::chrono::microseconds(800 + i % 50 * 10));
    }
  });
}

TEST_P(HttpClientConns, ResponsesOutliveTheClient) {
  run([] {
    Serving s(tell_who);
    Response r;
    {
      Client client;
      r = client.get(s.url());
    }
    EXPECT_THAT(r.body.read_all(), HasSubstr("who: "));
    EXPECT_TRUE(eventually([&] { return s.server.connections() == 0; })) << "it is not kept";
  });
}

TEST_P(HttpClientConns, ClosedByTheServerMeanwhile) {
  run([] {
    constexpr auto kIdle = 10ms;
    Serving s(tell_who, ServerOptions{.idle_timeout = kIdle});
    Client client;
    for (int i = 0; i < 3; ++i) {
      // On a busy machine a new connection may be closed before the request is there.
      EXPECT_TRUE(eventually([&] {
        const auto start = std::chrono::steady_clock::now();
        try {
          EXPECT_EQ(client.post(s.url(), "text/plain", "x").status, 200);
          return true;
        } catch (const std::exception& e) {
          EXPECT_GE(std::chrono::steady_clock::now() - start, kIdle) << e.what();
          return false;
        }
      }));
      EXPECT_TRUE(eventually([&] { return s.server.connections() == 0; }));
      let_poll();
    }
  });
}

// A kept connection that the server closes when the next request comes: it may have got it.
struct Loses {
  explicit Loses(size_t large = 0)
      : server([this, large](Raw& raw, int n) {
          raw.message();
          raw.send(kOk);
          if (n == 0) {
            if (large == 0) {
              (void)raw.message();
            } else {
              (void)raw.exactly(1);  // and is reset, since there is more
            }
            lost.store(true);
          } else {
            (void)raw.rest();
          }
        }) {}
  std::atomic<bool> lost{false};
  Scripted server;
};

TEST_P(HttpClientConns, WhatDoesNoHarmIsRepeated) {
  run([] {
    for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
      Loses s;
      Client client;
      EXPECT_EQ(client.get(s.server.url()).body.read_all(), "ok");
      EXPECT_EQ(client.send({.method = method, .url = s.server.url()}).status, 200) << method;
      EXPECT_TRUE(s.lost);
      EXPECT_EQ(s.server.accepted, 2);
    }
    Loses s;
    Client client;
    EXPECT_EQ(client.get(s.server.url()).body.read_all(), "ok");
    EXPECT_EQ(client
                  .send({.method = "POST",
                         .url = s.server.url(),
                         .headers = {{"Idempotency-Key", "1"}},
                         .body = "x"})
                  .status,
              200);
  });
}

TEST_P(HttpClientConns, ALargeBodyIsRepeated) {
  run([] {
    Loses s(1);
    Client client;
    EXPECT_EQ(client.get(s.server.url()).body.read_all(), "ok");
    EXPECT_EQ(
        client.send({.method = "PUT", .url = s.server.url(), .body = std::string(3 << 20, 'x')})
            .status,
        200);
    EXPECT_EQ(s.server.accepted, 2);
  });
}

TEST_P(HttpClientConns, WhatMayDoHarmIsNot) {
  run([] {
    Loses s;
    Client client;
    EXPECT_EQ(client.get(s.server.url()).body.read_all(), "ok");
    EXPECT_THAT(thrown([&] { (void)client.post(s.server.url(), "text/plain", "x"); }),
                HasSubstr("closed the connection without an answer"));
    EXPECT_EQ(s.server.accepted, 1);
  });
}

TEST_P(HttpClientConns, NothingIsRepeatedOnANewConnection) {
  run([] {
    Scripted s("");
    Client client;
    EXPECT_THAT(thrown([&] { (void)client.get(s.url("/a")); }),
                HasSubstr("http: GET " + s.url("/a") + ": the server has closed the connection"));
    EXPECT_EQ(s.accepted, 1);
  });
}

TEST_P(HttpClientConns, MaxPerHost) {
  run([] {
    std::atomic<int> now = 0, most = 0;
    Serving s([&](ResponseWriter& w, ServerRequest&) {
      const int n = ++now;
      int seen = most.load();
      while (seen < n && !most.compare_exchange_weak(seen, n)) {
      }
      for (int i = 0; i < 10; ++i) weir::gosched();
      w.write("ok");
      --now;
    });
    Client client({.max_per_host = 3});
    weir::WaitGroup all;
    for (int i = 0; i < 20; ++i) {
      all.add(1);
      weir::go([&] {
        for (int k = 0; k < 5; ++k) EXPECT_EQ(client.get(s.url()).body.read_all(), "ok");
        all.done();
      });
    }
    all.wait();
    EXPECT_LE(most, 3);
    EXPECT_LE(s.server.connections(), 3u);
  });
}

TEST_P(HttpClientConns, MaxPerHostIsGivenBack) {
  run([] {
    Serving s(tell_who);
    Client client({.max_per_host = 1});
    std::string nobody;
    {
      weir::net::Listener l = weir::net::listen("tcp", "127.0.0.1:0");
      nobody = "http://" + l.addr().to_string() + "/";
    }
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(error_of([&] { (void)client.get(nobody); }));
      (void)client.get(s.url());  // not read
      EXPECT_THAT(client.get(s.url()).body.read_all(), HasSubstr("who: "));
    }
    // Who waits for a place may be cancelled.
    Response holds = client.get(s.url("/chunked"));
    auto [ctx, cancel] = weir::with_timeout(weir::background(), 20ms);
    try {
      (void)client.send({.url = s.url(), .context = ctx});
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), weir::ContextError::deadline_exceeded);
    }
    cancel();
    holds.body.close();
    EXPECT_EQ(client.get(s.url()).status, 200);
  });
}

TEST_P(HttpClientConns, SharedByManyGoroutines) {
  run([] {
    Serving s(tell_who);
    Client client;
    weir::WaitGroup all;
    for (int i = 0; i < 8; ++i) {
      all.add(1);
      weir::go([&, i] {
        for (int k = 0; k < scaled(100); ++k) {
          const std::string text = std::to_string(i) + "." + std::to_string(k);
          Response r = client.post(s.url(k % 2 ? "/" : "/chunked"), "text/plain", text);
          if (k % 5 == 0) continue;  // not read
          EXPECT_TRUE(r.body.read_all().ends_with(text));
          if (k % 7 == 0) client.close_idle_connections();
        }
        all.done();
      });
    }
    all.wait();
  });
}

}  // namespace
