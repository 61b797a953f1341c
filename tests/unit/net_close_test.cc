// Close: it wakes everybody, waits until they have left, and the descriptor's number is not used
// again before.

#include <fcntl.h>

#include <chrono>

#include "net_test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using introspect::WaitReason;
WEIR_NET_FOR_ALL_PROCS(NetClose);

// Starts f, which blocks until it throws errc::closed with this text, and waits until it blocks.
template <class F>
void blocked(WaitGroup& wg, WaitReason reason, const std::string& text, F f) {
  wg.add(1);
  uint64_t id = go_with_id([&wg, text, f] {
    auto e = error_of(f);
    EXPECT_TRUE(e);
    if (e) {
      EXPECT_EQ(e->code(), net::errc::closed);
      EXPECT_EQ(e->what(), text);
      EXPECT_FALSE(e->timeout());
    }
    wg.done();
  });
  ASSERT_TRUE(waits(id, reason));
}

std::string between(const net::Conn& c) {
  return "tcp " + c.local_addr().to_string() + "->" + c.remote_addr().to_string();
}

TEST_P(NetClose, WakesReadersAndWriters) {
  run([] {
    Pair p = connected();
    fill(p.a);
    std::string closed = between(p.a) + ": use of closed network connection";
    WaitGroup wg;
    auto read = [p] {
      char c;
      p.a.read(&c, 1);
    };
    auto write = [p] { p.a.write(std::string(1 << 20, 'x')); };
    blocked(wg, WaitReason::io_wait, "read " + closed, read);
    blocked(wg, WaitReason::io_wait, "write " + closed, write);
    for (int i = 0; i < 5; i++) {  // in line behind them
      blocked(wg, WaitReason::semacquire, "read " + closed, read);
      blocked(wg, WaitReason::semacquire, "write " + closed, write);
    }
    p.a.close();
    wg.wait();
  });
}

TEST_P(NetClose, WakesAccepters) {
  run([] {
    for (std::string network : {"tcp", "unix"}) {
      net::Listener l = net::listen(network, network == "tcp" ? "127.0.0.1:0" : a_name("accept"));
      std::string text =
          "accept " + network + " " + l.addr().to_string() + ": use of closed network connection";
      WaitGroup wg;
      blocked(wg, WaitReason::io_wait, text, [l] { (void)l.accept(); });
      for (int i = 0; i < 3; i++) {
        blocked(wg, WaitReason::semacquire, text, [l] { (void)l.accept(); });
      }
      l.close();
      wg.wait();
    }
  });
}

TEST_P(NetClose, WakesReadersOfDatagrams) {
  run([] {
    net::PacketConn u = net::listen_packet("udp", "127.0.0.1:0");
    WaitGroup wg;
    blocked(wg, WaitReason::io_wait,
            "read udp " + u.local_addr().to_string() + ": use of closed network connection", [u] {
              char c;
              (void)u.read_from(&c, 1);
            });
    u.close();
    wg.wait();
  });
}

TEST_P(NetClose, AfterwardsEverythingFails) {
  run([] {
    Pair p = connected();
    net::Conn other = p.a;
    p.a.close();
    char c;
    for (auto& e :
         {error_of([&] { other.read(&c, 1); }), error_of([&] { other.write("x"); }),
          error_of([&] { other.close_write(); }), error_of([&] { other.set_no_delay(true); })}) {
      ASSERT_TRUE(e);
      EXPECT_EQ(e->code(), net::errc::closed);
    }
    EXPECT_EQ(text_of([&] { other.close(); }),
              "close " + between(p.a) + ": use of closed network connection");
    EXPECT_EQ(text_of([&] { other.set_deadline(net::kNoDeadline); }),
              "set " + between(p.a) + ": use of closed network connection");
  });
}

TEST_P(NetClose, ReturnsWhenTheDescriptorIsFree) {
  run([] {
    for (int i = 0; i < scaled(100); i++) {
      Pair p = connected();
      WaitGroup wg;
      int fd = p.a.native_handle();
      blocked(wg, WaitReason::io_wait,
              "read " + between(p.a) + ": use of closed network connection", [p] {
                char c;
                p.a.read(&c, 1);
              });
      p.a.close();
      EXPECT_EQ(fcntl(fd, F_GETFD), -1) << "closed, although the reader was in the call";
      wg.wait();
    }
  });
}

// A handle to a closed connection never touches the one that has its number now.
TEST_P(NetClose, ANumberThatIsUsedAgainIsNotMistaken) {
  run([] {
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    for (int i = 0; i < scaled(100); i++) {
      net::Conn old = net::dial("tcp", l.addr().to_string());
      net::Conn old_peer = l.accept();
      int fd = old.native_handle();
      WaitGroup wg;
      for (int k = 0; k < 4; k++) {
        wg.go([&] {
          char c;
          EXPECT_TRUE(error_of([&] { old.read(&c, 1); }));
          EXPECT_TRUE(error_of([&] { old.write("stray"); }));
        });
      }
      if (i % 2) gosched();
      old.close();
      net::Conn again = net::dial("tcp", l.addr().to_string());
      EXPECT_EQ(again.native_handle(), fd);
      net::Conn peer = l.accept();
      peer.write("x");
      EXPECT_EQ(read_full(again, 1), "x");
      wg.wait();
      again.close();
      EXPECT_EQ(read_full(peer, 10), "") << "nobody wrote to the new one";
    }
  });
}

TEST_P(NetClose, TwoAtOnceOneFails) {
  run([] {
    for (int i = 0; i < scaled(200); i++) {
      Pair p = connected();
      std::atomic<int> failed{0};
      WaitGroup wg;
      for (int k = 0; k < 2; k++) {
        wg.go([&] { failed += error_of([&] { p.a.close(); }) ? 1 : 0; });
      }
      wg.wait();
      EXPECT_EQ(failed, 1);
    }
  });
}

// A peer that is gone without a word (half-open), or that only reads slowly: a deadline or close
// sets whoever waits for it free.
TEST_P(NetClose, APeerThatSaysNothingLeavesNobodyBehind) {
  run([] {
    Pair p = connected();
    WaitGroup wg;
    wg.go([&] {
      char c;
      p.a.set_read_deadline(std::chrono::steady_clock::now() + 20ms);
      EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
      p.a.close();
    });
    wg.go([&] {
      auto e = error_of([&] {
        for (;;) p.a.write(std::string(1 << 20, 'x'));
      });
      EXPECT_EQ(e->code(), net::errc::closed);
    });
    wg.wait();
  });
}

}  // namespace
}  // namespace weir::testing
