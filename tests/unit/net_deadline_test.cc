// Deadlines: they wake who waits, not before their time, and can be moved and taken back.

#include <chrono>

#include "net_test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using introspect::WaitReason;
WEIR_NET_FOR_ALL_PROCS(NetDeadline);

// Starts f, which blocks, in a goroutine; waits until it waits for IO. wg tells when f is over.
template <class F>
void blocked(WaitGroup& wg, F f) {
  wg.add(1);
  uint64_t id = go_with_id([&wg, f] {
    f();
    wg.done();
  });
  ASSERT_TRUE(waits(id, WaitReason::io_wait));
}

TEST_P(NetDeadline, InThePastFailsAtOnce) {
  run([] {
    Pair p = connected();
    p.b.write("there");
    for (Clock::time_point t :
         {Clock::now(), Clock::now() - 1h, Clock::time_point(), Clock::time_point::min()}) {
      p.a.set_deadline(t);
      char buffer[5];
      auto e = error_of([&] { p.a.read(buffer, 5); });
      ASSERT_TRUE(e);
      EXPECT_TRUE(e->timeout());
      EXPECT_EQ(std::string(e->what()), "read tcp " + p.a.local_addr().to_string() + "->" +
                                            p.a.remote_addr().to_string() + ": i/o timeout");
      EXPECT_TRUE(error_of([&] { p.a.write("x"); })->timeout());
    }
    p.a.set_deadline(net::kNoDeadline);
    EXPECT_EQ(read_full(p.a, 5), "there") << "nothing was lost";
    p.a.write("x");
  });
}

TEST_P(NetDeadline, WakesAReader) {
  run([] {
    Pair p = connected();
    auto deadline = Clock::now() + 30ms;
    p.a.set_read_deadline(deadline);
    char c;
    EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
    EXPECT_GE(Clock::now(), deadline);
    EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout()) << "again, until it is moved";
    p.a.write("writes have their own");
    p.a.set_read_deadline(Clock::now() + 1h);
    p.b.write("x");
    EXPECT_EQ(p.a.read(&c, 1), 1u);
  });
}

TEST_P(NetDeadline, WakesAWriter) {
  run([] {
    Pair p = connected();
    auto deadline = Clock::now() + 50ms;
    p.a.set_write_deadline(deadline);
    std::string block(1 << 20, 'x');
    auto e = error_of([&] {
      for (;;) p.a.write(block);  // the other side does not read
    });
    ASSERT_TRUE(e);
    EXPECT_TRUE(e->timeout());
    EXPECT_GE(Clock::now(), deadline);
    p.b.write("reads have their own");
    EXPECT_EQ(read_full(p.a, 20), "reads have their own");
  });
}

TEST_P(NetDeadline, SetWhileTheyWait) {
  run([] {
    Pair p = connected();
    fill(p.a);
    WaitGroup wg;
    blocked(wg, [p] {
      char c;
      EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
    });
    blocked(wg, [p] {
      std::string block(1 << 20, 'x');
      EXPECT_TRUE(error_of([&] { p.a.write(block); })->timeout());
    });
    p.a.set_deadline(Clock::now() + 10ms);
    wg.wait();
  });
}

TEST_P(NetDeadline, InThePastWakesThoseWhoWait) {
  run([] {
    Pair p = connected();
    for (int i = 0; i < scaled(50); i++) {
      WaitGroup wg;
      blocked(wg, [p] {
        char c;
        EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
      });
      p.a.set_read_deadline(Clock::now() - 1s);
      wg.wait();
      p.a.set_read_deadline(net::kNoDeadline);
    }
  });
}

// A deadline that is moved to `later` before it has passed, while somebody waits. A machine that is
// too busy to do that in time is given more.
void expect_moved_in_time(Clock::time_point later) {
  bool in_time = false;
  for (auto soon = 40ms; !in_time; soon *= 4) {
    ASSERT_LT(soon, 1min);
    Pair p = connected();
    const auto first = Clock::now() + soon;
    p.a.set_read_deadline(first);
    std::atomic<bool> ended{false};
    std::optional<net::error> e;
    const uint64_t id = go_with_id([&] {
      char c;
      e = error_of([&] { EXPECT_EQ(p.a.read(&c, 1), 1u); });
      ended = true;
    });
    ASSERT_TRUE(eventually([&] {
      const auto look = look_at(id);
      return ended || (look && look->g.wait_reason == WaitReason::io_wait);
    }));
    p.a.set_read_deadline(later);
    in_time = Clock::now() < first;
    sleep_until(first + 20ms);
    if (in_time) {
      EXPECT_FALSE(ended);
    }
    p.b.write("x");
    ASSERT_TRUE(eventually([&] { return ended.load(); }));
    if (in_time) {
      EXPECT_FALSE(e);
    }
  }
}

TEST_P(NetDeadline, ExtendedInTime) {
  run([] { expect_moved_in_time(Clock::now() + 1h); });
}

TEST_P(NetDeadline, ExtendedOnesPassToo) {
  run([] {
    Pair p = connected();
    p.a.set_read_deadline(Clock::now() + 5ms);
    p.a.set_read_deadline(Clock::now() + 10ms);
    auto last = Clock::now() + 30ms;
    p.a.set_read_deadline(last);
    char c;
    EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
    EXPECT_GE(Clock::now(), last);
    // Taken back, and set again before the first one's time has come.
    p.a.set_read_deadline(Clock::now() + 20ms);
    p.a.set_read_deadline(net::kNoDeadline);
    p.a.set_read_deadline(Clock::now() + 5ms);
    EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
    p.a.set_read_deadline(net::kNoDeadline);
    p.a.set_read_deadline(Clock::now() + 40ms);
    EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
  });
}

TEST_P(NetDeadline, TakenBackInTime) {
  run([] { expect_moved_in_time(net::kNoDeadline); });
}

TEST_P(NetDeadline, Shortened) {
  run([] {
    Pair p = connected();
    p.a.set_read_deadline(Clock::now() + 1h);
    WaitGroup wg;
    blocked(wg, [p] {
      char c;
      EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
    });
    p.a.set_read_deadline(Clock::now() + 10ms);
    wg.wait();
  });
}

TEST_P(NetDeadline, ManyAtOnceInAnyOrder) {
  run([] {
    constexpr int kConns = 50;
    WaitGroup wg;
    for (int i = 0; i < kConns; i++) {
      wg.go([i] {
        Pair p = connected();
        auto deadline = Clock::now() + std::chrono::milliseconds(1 + i * 7 % kConns);
        p.a.set_read_deadline(deadline);
        char c;
        EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
        EXPECT_GE(Clock::now(), deadline);
      });
    }
    wg.wait();
  });
}

TEST_P(NetDeadline, OfAListenerAndADatagramSocket) {
  run([] {
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    l.set_deadline(Clock::now() + 10ms);
    auto e = error_of([&] { (void)l.accept(); });
    ASSERT_TRUE(e);
    EXPECT_TRUE(e->timeout());
    EXPECT_EQ(std::string(e->what()), "accept tcp " + l.addr().to_string() + ": i/o timeout");
    l.set_deadline(net::kNoDeadline);
    net::Conn a = net::dial("tcp", l.addr().to_string());
    EXPECT_EQ(l.accept().remote_addr(), a.local_addr());

    net::PacketConn u = net::listen_packet("udp", "127.0.0.1:0");
    u.set_read_deadline(Clock::now() + 10ms);
    char c;
    e = error_of([&] { (void)u.read_from(&c, 1); });
    ASSERT_TRUE(e);
    EXPECT_EQ(std::string(e->what()), "read udp " + u.local_addr().to_string() + ": i/o timeout");
  });
}

// A wait that begins after a read that emptied the socket keeps to its deadline, and nothing that
// came meanwhile is lost.
TEST_P(NetDeadline, AfterAShortRead) {
  run([] {
    Pair p = connected();
    char buffer[100];
    for (int i = 0; i < scaled(100); i++) {
      p.b.write("abc");
      EXPECT_EQ(p.a.read(buffer, sizeof buffer), 3u);
      p.a.set_read_deadline(Clock::now() + 500us);
      EXPECT_TRUE(error_of([&] { p.a.read(buffer, sizeof buffer); })->timeout());
      p.b.write("def");
      if (i % 2) gosched();
      p.a.set_read_deadline(net::kNoDeadline);
      EXPECT_EQ(p.a.read(buffer, sizeof buffer), 3u);
    }
  });
}

TEST_P(NetDeadline, OfAClosedConnectionIsAnError) {
  run([] {
    Pair p = connected();
    p.a.close();
    auto e = error_of([&] { p.a.set_deadline(Clock::now()); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->code(), net::errc::closed);
  });
}

}  // namespace
}  // namespace weir::testing
