// The contexts of requests: cancelled when the client goes away, when the handler returns, when the
// server is closed; and watching for that costs no byte of the next request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using weir::http::ResponseWriter;
using weir::http::ServerOptions;
using weir::http::ServerRequest;

WEIR_NET_FOR_ALL_PROCS(HttpServerContext);

const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_P(HttpServerContext, CancelledWhenTheClientGoesAway) {
  run([] {
    weir::chan<bool> begun = weir::make_chan<bool>(), cancelled = weir::make_chan<bool>(1);
    Serving s([=](ResponseWriter&, ServerRequest& r) {
      const weir::Context ctx = r.context();
      EXPECT_EQ(ctx, r.context());
      EXPECT_FALSE(ctx.err());
      begun.send(true);
      ctx.done().recv();
      cancelled.send(ctx.err() == weir::ContextError::canceled);
    });
    for (const bool reset : {false, true}) {
      auto raw = std::make_unique<Raw>(s.address);
      raw->send(kGet);
      begun.recv();
      if (reset) raw->conn.set_linger(std::chrono::seconds(0));
      raw.reset();
      EXPECT_TRUE(*cancelled.recv());
    }
  });
}

TEST_P(HttpServerContext, OfARequestWithABodyOnceThatIsRead) {
  run([] {
    weir::chan<bool> begun = weir::make_chan<bool>(), cancelled = weir::make_chan<bool>(1);
    Serving s([=](ResponseWriter&, ServerRequest& r) {
      const weir::Context ctx = r.context();
      EXPECT_EQ(r.body(), "abc");
      begun.send(true);
      ctx.done().recv();
      cancelled.send(true);
    });
    for (const char* request : {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
                                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                                "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}) {
      auto raw = std::make_unique<Raw>(s.address);
      raw->send(request);
      begun.recv();
      raw.reset();
      EXPECT_TRUE(*cancelled.recv());
    }
  });
}

TEST_P(HttpServerContext, CancelledWhenTheHandlerReturns) {
  run([] {
    weir::chan<weir::Context> kept = weir::make_chan<weir::Context>(4);
    Serving s([kept](ResponseWriter& w, ServerRequest& r) {
      kept.send(r.context());
      w.write("ok");
      if (r.path() == "/throws") throw std::runtime_error("expected by a test");
      if (r.path() == "/exits") weir::goexit();
    });
    Raw raw(s.address);
    EXPECT_THAT(raw.send(kGet).message(), EndsWith("ok"));
    (void)ask(s, "GET /throws HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)ask(s, "GET /exits HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 3; ++i) {
      const weir::Context ctx = *kept.recv();
      ctx.done().recv();
      EXPECT_EQ(ctx.err(), weir::ContextError::canceled);
    }
  });
}

TEST_P(HttpServerContext, IsAChildOfTheServers) {
  run([] {
    static weir::ContextKey<int> key;
    auto [parent, cancel] = weir::with_cancel(weir::with_value(weir::background(), key, 7));
    weir::chan<bool> begun = weir::make_chan<bool>();
    Serving s(
        [begun](ResponseWriter& w, ServerRequest& r) {
          const weir::Context ctx = r.context();
          EXPECT_EQ(*ctx.value(key), 7);
          begun.send(true);
          ctx.done().recv();
          w.write("cancelled");
        },
        ServerOptions{.context = parent});
    Raw raw(s.address);
    raw.send(kGet);
    begun.recv();
    cancel();
    EXPECT_THAT(raw.message(), EndsWith("cancelled"));
  });
}

// The watcher reads ahead: what it has read is the first byte of the next request.
TEST_P(HttpServerContext, APipelineLosesNoByte) {
  run([] {
    weir::chan<bool> begun = weir::make_chan<bool>(), on = weir::make_chan<bool>();
    Serving s([=](ResponseWriter& w, ServerRequest& r) {
      const weir::Context ctx = r.context();
      if (r.path() == "/hold") {
        begun.send(true);
        on.recv();
      }
      EXPECT_FALSE(ctx.err());
      w.write("<" + r.target() + r.body() + ">");
    });
    Raw raw(s.address);
    for (int i = 0; i < 20; ++i) {
      raw.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
      begun.recv();
      raw.send("POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
      if (i % 2 == 0) let_poll();
      on.send(true);
      EXPECT_THAT(raw.message(), EndsWith("</hold>"));
      EXPECT_THAT(raw.message(), EndsWith("</nextabc>"));
    }
    // All at once.
    EXPECT_THAT(ask(s, kGet + kGet + kGet + "GET /z HTTP/1.0\r\n\r\n"), EndsWith("</z>"));
  });
}

TEST_P(HttpServerContext, TimeoutsHoldAfterIt) {
  run([] {
    Serving s(
        [](ResponseWriter& w, ServerRequest& r) {
          (void)r.context();
          w.write("ok");
        },
        ServerOptions{.idle_timeout = 30ms});
    EXPECT_TRUE(answers_and_is_closed(s));
  });
}

}  // namespace
