// http::Client and time: timeouts, and contexts that end while a request is at each of its stages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <system_error>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using ::testing::HasSubstr;
using weir::http::Client;
using weir::http::ClientOptions;
using weir::http::Request;
using weir::http::Response;
using weir::http::ResponseWriter;
using weir::http::ServerRequest;

WEIR_NET_FOR_ALL_PROCS(HttpClientTime);

// The code that f throws; none: it throws nothing.
template <class F>
std::error_code code_of(F f) {
  try {
    f();
  } catch (const std::system_error& e) {
    return e.code();
  } catch (const std::exception& e) {
    ADD_FAILURE() << e.what();
  }
  return {};
}

// Reads requests and says `start`, then nothing until the client closes.
struct Silent {
  explicit Silent(std::string start = "")
      : server([this, start](Raw& raw, int) {
          (void)raw.until("\r\n\r\n");
          raw.send(start);
          if (!begun.try_send(true)) return;
          (void)raw.rest();
        }) {}
  weir::chan<bool> begun = weir::make_chan<bool>(1000);
  Scripted server;
};

const std::string kHead = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
constexpr auto kDeadline = weir::ContextError::deadline_exceeded;
constexpr auto kCanceled = weir::ContextError::canceled;

TEST_P(HttpClientTime, TimeoutOfTheWholeRequest) {
  run([] {
    Client client({.timeout = 30ms});
    Silent head;
    EXPECT_EQ(code_of([&] { (void)client.get(head.server.url()); }), kDeadline);
    Silent rest_of_head("HTTP/1.1 200 OK\r\n");
    EXPECT_EQ(code_of([&] { (void)client.get(rest_of_head.server.url()); }), kDeadline);
    Silent body(kHead + "abc");
    EXPECT_TRUE(eventually([&] {  // the head may take as long on a busy machine
      std::error_code of_body;
      const std::error_code of_head = code_of([&] {
        Response r = client.get(body.server.url());
        of_body = code_of([&] { (void)r.body.read_all(); });
      });
      EXPECT_EQ(of_head ? of_head : of_body, kDeadline);
      return !of_head;
    }));
    Silent upload;
    EXPECT_EQ(
        code_of([&] { (void)client.post(upload.server.url(), "x/y", std::string(20 << 20, 'x')); }),
        kDeadline);
  });
}

TEST_P(HttpClientTime, TimeoutThatIsNotReached) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) { w.write("ok"); });
    Client client({.timeout = 60s});
    for (int i = 0; i < 10; ++i) EXPECT_EQ(client.get(s.url()).body.read_all(), "ok");
    EXPECT_LE(s.server.connections(), 1u);
  });
}

TEST_P(HttpClientTime, TimeoutIsOfAllRedirects) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) {
      weir::sleep_for(5ms);
      w.headers().set("Location", "/");
      w.write_header(302);
    });
    Client client({.timeout = 50ms, .max_redirects = 1'000'000});
    EXPECT_EQ(code_of([&] { (void)client.get(s.url()); }), kDeadline);
  });
}

TEST_P(HttpClientTime, ResponseHeaderTimeout) {
  run([] {
    Client client({.response_header_timeout = 30ms});
    Silent head, rest_of_head("HTTP/1.1 200 OK\r\n"), body(kHead + "abc");
    for (const Silent* s : {&head, &rest_of_head}) {
      auto e = error_of([&] { (void)client.get(s->server.url()); });
      EXPECT_TRUE(e && e->timeout());
    }
    // Of the head alone; which may take as long on a busy machine.
    EXPECT_TRUE(eventually([&] {
      std::optional<Response> r;
      if (error_of([&] { r = client.get(body.server.url()); })) return false;
      weir::sleep_for(50ms);
      EXPECT_EQ(r->status, 200);
      char abc[3];
      EXPECT_EQ(r->body.read(abc, sizeof abc), sizeof abc);
      return true;
    }));
  });
}

TEST_P(HttpClientTime, ResponseHeaderTimeoutBeginsWhenTheBodyIsSent) {
  run([] {
    std::atomic<bool> answers = true;
    Serving s([&answers](ResponseWriter& w, ServerRequest& r) {
      w.write(std::to_string(r.body().size()));
      if (!answers) r.context().done().recv();
    });
    Client client({.response_header_timeout = 100ms});
    EXPECT_TRUE(eventually([&] {  // the answer may come too late on a busy machine
      const auto slowly = [left = std::make_shared<int>(10)]() -> std::optional<std::string> {
        weir::sleep_for(30ms);
        if ((*left)-- == 0) return std::nullopt;
        return "x";
      };
      std::string got;
      if (error_of([&] {
            got = client.send({.method = "POST", .url = s.url(), .body_pieces = slowly})
                      .body.read_all();
          })) {
        return false;
      }
      EXPECT_EQ(got, "10");
      return true;
    }));
    answers = false;
    auto e = error_of([&] { (void)client.post(s.url(), "x/y", std::string(1 << 20, 'x')); });
    EXPECT_TRUE(e && e->timeout());
  });
}

TEST_P(HttpClientTime, ContextThatIsDoneBefore) {
  run([] {
    Silent s;
    Client client;
    auto [ctx, cancel] = weir::with_cancel(weir::background());
    cancel();
    EXPECT_EQ(code_of([&] { (void)client.send({.url = s.server.url(), .context = ctx}); }),
              kCanceled);
  });
}

TEST_P(HttpClientTime, ContextThatEndsWhileTheHeadIsWaitedFor) {
  run([] {
    Silent s;
    Client client;
    auto [ctx, cancel] = weir::with_cancel(weir::background());
    weir::go([&s, cancel = cancel] {
      s.begun.recv();
      cancel();
    });
    EXPECT_EQ(code_of([&] { (void)client.send({.url = s.server.url(), .context = ctx}); }),
              kCanceled);
  });
}

TEST_P(HttpClientTime, ContextThatEndsWhileTheBodyIsRead) {
  run([] {
    for (const std::string& start : {kHead, kHead + "abc"}) {
      Silent s(start);
      Client client;
      auto [ctx, cancel] = weir::with_cancel(weir::background());
      Response r = client.send({.url = s.server.url(), .context = ctx});
      char c[3];
      if (start != kHead) {
        EXPECT_GE(r.body.read(c, sizeof c), 1u);
      }
      weir::go([cancel = cancel] { cancel(); });
      EXPECT_EQ(code_of([&] { (void)r.body.read_all(); }), kCanceled);
      EXPECT_EQ(r.body.read(c, sizeof c), 0u) << "it has ended, badly";
    }
  });
}

// Nobody reads: the connection's goroutine is the one that notices.
TEST_P(HttpClientTime, ContextThatEndsWhileNobodyReads) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) {
      (void)error_of([&w] { w.write(std::string(10'000'000, 'x')); });
    });
    Client client;
    auto [ctx, cancel] = weir::with_cancel(weir::background());
    Response r = client.send({.url = s.url(), .context = ctx});
    cancel();
    EXPECT_TRUE(eventually([&s] { return s.server.connections() == 0; }));
    EXPECT_EQ(code_of([&] { (void)r.body.read_all(); }), kCanceled);
  });
}

TEST_P(HttpClientTime, ContextThatEndsAfterTheRequest) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) { w.write(r.remote_addr()); });
    Client client;
    std::string who;
    for (int i = 0; i < 5; ++i) {
      auto [ctx, cancel] = weir::with_cancel(weir::background());
      const std::string now = client.send({.url = s.url(), .context = ctx}).body.read_all();
      cancel();
      EXPECT_TRUE(i == 0 || who == now) << "its connection is of use all the same";
      who = now;
    }
  });
}

// Wherever the cancel hits, the request ends, soon and with that.
TEST_P(HttpClientTime, ContextThatEndsAnytime) {
  run([] {
    Silent s(kHead + "abc");
    Client client({.response_header_timeout = 60s});
    for (int i = 0; i < scaled(300); ++i) {
      auto [ctx, cancel] = weir::with_cancel(weir::background());
      weir::chan<bool> cancelled = weir::make_chan<bool>();
      weir::go([i, cancelled, cancel = cancel] {
        for (int k = 0; k < i % 60; ++k) weir::gosched();
        cancel();
        cancelled.close();
      });
      EXPECT_EQ(code_of([&] {
                  (void)client.send({.url = s.server.url(), .context = ctx}).body.read_all();
                }),
                kCanceled);
      cancelled.recv();
    }
  });
}

TEST_P(HttpClientTime, BodiesThatAreClosedAnytime) {
  run([] {
    Silent s(kHead + "abc");
    Client client({.response_header_timeout = 60s});
    for (int i = 0; i < scaled(300); ++i) {
      Response r = client.get(s.server.url());
      for (int k = 0; k < i % 20; ++k) weir::gosched();
      if (i % 3 == 0) {
        char c = 0;
        EXPECT_EQ(r.body.read(&c, 1), 1u);
      }
    }
  });
}

TEST_P(HttpClientTime, DialTimeout) {
  run([] {
    weir::net::Listener l = weir::net::listen("unix", a_name("full"));
    const std::vector<weir::net::Conn> queued = fill_queue(l);
    Client client({.dial_timeout = 30ms});
    const std::string url = "unix:" + l.addr().to_string() + ":/";
    auto e = error_of([&] { (void)client.get(url); });
    EXPECT_TRUE(e) << "refused, or too late";
    auto [ctx, cancel] = weir::with_timeout(weir::background(), 10ms);
    Client patient;
    EXPECT_THROW((void)patient.send({.url = url, .context = ctx}), std::system_error);
    cancel();
  });
}

}  // namespace
