// http::Server's patience and its end: timeouts, max_connections, shutdown, close.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using weir::http::ResponseWriter;
using weir::http::ServerOptions;
using weir::http::ServerRequest;

WEIR_NET_FOR_ALL_PROCS(HttpServerLimits);

const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

void ok(ResponseWriter& w, ServerRequest&) { w.write("ok"); }

TEST_P(HttpServerLimits, IdleTimeout) {
  run([] {
    Serving s(ok, ServerOptions{.idle_timeout = 30ms});
    EXPECT_EQ(Raw(s.address).rest(), "") << "who says nothing at all";
    EXPECT_TRUE(answers_and_is_closed(s));
  });
}

TEST_P(HttpServerLimits, HeaderTimeoutIsOfTheWholeHead) {
  run([] {
    Serving s(ok, ServerOptions{.header_timeout = 50ms});
    Raw raw(s.address);
    raw.send("GET / HTTP/1.1\r\nHost: x\r\n");
    // A byte now and then does not help.
    weir::chan<bool> ended = weir::make_chan<bool>();
    weir::go([&] {
      EXPECT_TRUE(error_of([&] {
        for (;;) {
          raw.send("x");
          weir::sleep_for(5ms);
        }
      }));
      ended.close();
    });
    EXPECT_EQ(raw.rest(), "");
    ended.recv();
  });
}

TEST_P(HttpServerLimits, NoTimeouts) {
  run([] {
    Serving s(
        [](ResponseWriter& w, ServerRequest& r) { w.write(r.body()); },
        ServerOptions{
            .header_timeout = 0s, .read_timeout = 0s, .write_timeout = -1s, .idle_timeout = 0s});
    Raw raw(s.address);
    for (int i = 0; i < 2; ++i) {
      for (const char* part :
           {"POST / HTTP/1.1\r\nHo", "st: x\r\nContent-Length: 2\r\n\r\n", "o", "k"}) {
        raw.send(part);
        let_poll();
      }
      EXPECT_THAT(raw.message(), EndsWith("ok"));
    }
  });
}

TEST_P(HttpServerLimits, WriteTimeout) {
  run([] {
    weir::chan<bool> timeout = weir::make_chan<bool>(1);
    Serving s(
        [timeout](ResponseWriter& w, ServerRequest&) {
          const std::string block(64 << 10, 'x');
          auto e = error_of([&] {
            for (;;) w.write(block);
          });
          timeout.send(e && e->timeout());
          // Nobody knows how much of it was sent: there is no going on.
          EXPECT_TRUE(error_of([&] { w.flush(); }));
          EXPECT_TRUE(error_of([&] { w.write(block); }));
        },
        ServerOptions{.write_timeout = 50ms});
    Raw raw(s.address);
    raw.send(kGet);
    EXPECT_TRUE(*timeout.recv());
    EXPECT_TRUE(eventually([&s] { return s.server.connections() == 0; }));
    EXPECT_THAT(raw.rest(), Not(EndsWith("0\r\n\r\n")));
  });
}

TEST_P(HttpServerLimits, MaxConnectionsWait) {
  run([] {
    Serving s(ok, ServerOptions{.max_connections = 2});
    auto a = std::make_unique<Raw>(s.address);
    Raw b(s.address), c(s.address);
    EXPECT_THAT(a->send(kGet).message(), EndsWith("ok"));
    EXPECT_THAT(b.send(kGet).message(), EndsWith("ok"));
    c.send(kGet);
    let_poll();
    EXPECT_EQ(s.server.connections(), 2u);
    a.reset();
    EXPECT_THAT(c.message(), EndsWith("ok"));
    EXPECT_EQ(s.server.connections(), 2u);
  });
}

TEST_P(HttpServerLimits, MaxConnectionsDoNotKeepItFromEnding) {
  run([] {
    Serving s(ok, ServerOptions{.max_connections = 1});
    Raw a(s.address), b(s.address);
    EXPECT_THAT(a.send(kGet).message(), EndsWith("ok"));
    b.send(kGet);
    s.server.shutdown();
    EXPECT_EQ(a.rest(), "");
    EXPECT_EQ(b.rest(), "");
  });
}

// Asks for a request that a handler holds until `on` is closed.
struct Held {
  weir::chan<bool> begun = weir::make_chan<bool>(), on = weir::make_chan<bool>();
  weir::http::Handler handler() {
    return [begun = begun, on = on](ResponseWriter& w, ServerRequest& r) {
      if (r.path() == "/flushed") {
        w.write("start");
        w.flush();
      }
      begun.send(true);
      on.recv();
      w.write("end");
    };
  }
};

TEST_P(HttpServerLimits, ShutdownLetsRequestsEnd) {
  run([] {
    Held held;
    Serving s(held.handler());
    Raw idle(s.address), active(s.address), flushed(s.address), half(s.address);
    active.send(kGet);
    held.begun.recv();
    flushed.send("GET /flushed HTTP/1.1\r\nHost: x\r\n\r\n");
    held.begun.recv();
    EXPECT_TRUE(eventually([&s] { return s.server.connections() == 4; }));
    weir::chan<bool> down = weir::make_chan<bool>();
    weir::go([&] {
      s.server.shutdown();
      down.close();
    });
    EXPECT_EQ(idle.rest(), "") << "closed at once";
    EXPECT_EQ(half.rest(), "");
    EXPECT_TRUE(error_of([&s] { (void)weir::net::dial("tcp", s.address); }));
    EXPECT_FALSE(down.try_recv().has_value());
    held.on.close();
    const std::string answer = active.rest();
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answer, EndsWith("end"));
    EXPECT_THAT(flushed.rest(), EndsWith("3\r\nend\r\n0\r\n\r\n"));
    down.recv();
    EXPECT_EQ(s.server.connections(), 0u);
    s.server.shutdown();  // again: there is nothing to do
    s.server.close();
  });
}

TEST_P(HttpServerLimits, ShutdownUntilADeadline) {
  run([] {
    Held held;
    Serving s(held.handler());
    Raw active(s.address);
    active.send(kGet);
    held.begun.recv();
    auto [ctx, cancel] = weir::with_timeout(weir::background(), 20ms);
    try {
      s.server.shutdown(ctx);
      ADD_FAILURE() << "it has not waited";
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), weir::ContextError::deadline_exceeded);
    }
    EXPECT_EQ(active.rest(), "") << "closed";
    held.on.close();
    cancel();
  });
}

TEST_P(HttpServerLimits, CloseEndsEverythingAndTellsTheHandlers) {
  run([] {
    weir::chan<bool> begun = weir::make_chan<bool>();
    Serving s([begun](ResponseWriter&, ServerRequest& r) {
      const weir::Context ctx = r.context();
      begun.send(true);
      ctx.done().recv();
      EXPECT_EQ(ctx.err(), weir::ContextError::canceled);
    });
    Raw idle(s.address), active(s.address);
    active.send(kGet);
    begun.recv();
    s.server.close();
    EXPECT_EQ(idle.rest(), "");
    EXPECT_EQ(active.rest(), "");
    s.server.close();
    s.server.shutdown();
  });
}

TEST_P(HttpServerLimits, TheDestructorWaitsForHandlers) {
  run([] {
    Held held;
    bool ended = false;
    {
      weir::http::Server server([&](ResponseWriter& w, ServerRequest& r) {
        held.handler()(w, r);
        ended = true;
      });
      weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
      weir::go([&server, listener] { server.serve(listener); });
      Raw raw(listener.addr().to_string());
      raw.send(kGet);
      held.begun.recv();
      server.close();
      weir::go([&held] { held.on.close(); });
    }
    EXPECT_TRUE(ended);
  });
}

TEST_P(HttpServerLimits, ServeAfterTheEnd) {
  run([] {
    weir::http::Server server(ok);
    server.close();
    weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
    const std::string address = listener.addr().to_string();
    server.serve(std::move(listener));
    EXPECT_TRUE(error_of([&] { (void)weir::net::dial("tcp", address); }));
    EXPECT_EQ(text_of([] {
                weir::http::Server other(ok);
                other.listen_and_serve("no such address");
              }).substr(0, 6),
              "listen");
  });
}

TEST_P(HttpServerLimits, SeveralListeners) {
  run([] {
    Serving s(ok);
    const std::string name = a_name("http");
    weir::net::Listener more = weir::net::listen("unix", name);
    weir::chan<bool> served = weir::make_chan<bool>();
    weir::go([&] {
      s.server.serve(more);
      served.close();
    });
    Raw raw(weir::net::dial("unix", name));
    EXPECT_THAT(raw.send(kGet).message(), EndsWith("ok"));
    EXPECT_THAT(Raw(s.address).send(kGet).message(), EndsWith("ok"));
    s.server.shutdown();
    served.recv();
    EXPECT_EQ(raw.rest(), "");
  });
}

// Whoever is about to become idle is not passed by, and whoever has begun is answered.
TEST_P(HttpServerLimits, ShutdownWhileRequestsComeAndGo) {
  run([] {
    for (int i = 0; i < scaled(200); ++i) {
      Serving s(ok);
      weir::WaitGroup all;
      for (int k = 0; k < 4; ++k) {
        all.add(1);
        weir::go([&] {
          (void)error_of([&] {
            Raw raw(s.address);
            for (;;) {
              const std::string answer = raw.send(kGet).message();
              if (answer.empty()) break;
              EXPECT_THAT(answer, EndsWith("ok"));
            }
          });
          all.done();
        });
      }
      for (int k = 0; k < i % 50; ++k) weir::gosched();
      s.server.shutdown();
      EXPECT_EQ(s.server.connections(), 0u);
      all.wait();
    }
  });
}

TEST_P(HttpServerLimits, CloseAndDestroyWhileConnectionsCome) {
  run([] {
    for (int i = 0; i < scaled(200); ++i) {
      auto server = std::make_unique<weir::http::Server>(ok);
      weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
      const std::string address = listener.addr().to_string();
      weir::WaitGroup all;
      all.add(2);
      weir::go([&, listener] {
        server->serve(listener);
        all.done();
      });
      weir::go([&] {
        (void)error_of([&] {
          for (int k = 0; k < 20; ++k) (void)Raw(address).send(kGet).message();
        });
        all.done();
      });
      for (int k = 0; k < i % 50; ++k) weir::gosched();
      server->close();
      all.wait();
      server.reset();
    }
  });
}

}  // namespace
