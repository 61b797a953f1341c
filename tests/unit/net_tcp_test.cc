// TCP: streams arrive whole, ends and resets are told.

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "net_test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
WEIR_NET_FOR_ALL_PROCS(NetTcp);

TEST_P(NetTcp, EchoesForManyConnections) {
  run([] {
    constexpr int kConns = 20;
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    WaitGroup wg;
    wg.go([&] {
      for (int i = 0; i < kConns; i++) wg.go([c = l.accept()] { echo(c); });
    });
    for (int i = 0; i < kConns; i++) {
      wg.go([&, i] {
        net::Conn c = net::dial("tcp", l.addr().to_string());
        for (int round = 0; round < scaled(200); round++) {
          std::string text(static_cast<size_t>(1 + (i * 37 + round * 101) % 5000), 'a');
          std::generate(text.begin(), text.end(), [n = round]() mutable { return char(n++); });
          c.write(text);
          ASSERT_EQ(read_full(c, text.size()), text);
        }
      });
    }
    wg.wait();
  });
}

TEST_P(NetTcp, ALongStreamArrivesWhole) {
  run([] {
    Pair p = connected();
    size_t total = static_cast<size_t>(scaled(64)) << 20;
    WaitGroup wg;
    wg.go([&] {
      std::vector<uint32_t> block(50'000);
      for (uint32_t next = 0; next * 4 < total;) {
        for (uint32_t& word : block) word = next++;
        p.a.write(block.data(), block.size() * 4);
      }
      p.a.close_write();
    });
    std::vector<char> buffer(70'001);
    uint64_t at = 0;
    bool right = true;
    while (size_t n = p.b.read(buffer.data(), buffer.size())) {
      for (size_t i = 0; i < n; i++, at++) {
        right &= buffer[i] == static_cast<char>((at / 4) >> (8 * (at % 4)));
      }
    }
    EXPECT_TRUE(right);
    EXPECT_GE(at, total);
    wg.wait();
  });
}

TEST_P(NetTcp, ReadTellsTheEnd) {
  run([] {
    Pair p = connected();
    p.a.write("last words");
    p.a.close();
    EXPECT_EQ(read_full(p.b, 100), "last words");
    char c;
    EXPECT_EQ(p.b.read(&c, 1), 0u);
    EXPECT_EQ(p.b.read(&c, 1), 0u) << "and again";
  });
}

// The end comes after a read that emptied the socket: before, while and after the reader waits.
TEST_P(NetTcp, ReadTellsTheEndAfterAShortRead) {
  run([] {
    for (int round = 0; round < scaled(300); round++) {
      Pair p = connected();
      WaitGroup wg;
      wg.go([&] {
        char buffer[100];
        EXPECT_EQ(p.b.read(buffer, sizeof buffer), 1u);
        if (round % 3 == 0) sleep_for(std::chrono::microseconds(round));
        EXPECT_EQ(p.b.read(buffer, sizeof buffer), 0u);
      });
      p.a.write("x");
      if (round % 3 == 1) sleep_for(std::chrono::microseconds(round));
      p.a.close();
      wg.wait();
    }
  });
}

// The end is there, and the poller has said so, before a read empties the socket: no event comes
// any more.
TEST_P(NetTcp, ReadTellsTheEndThatCameWithTheData) {
  run([] {
    for (int round = 0; round < 10; round++) {
      Pair p = connected();
      p.a.write("x");
      p.a.close();
      let_poll();
      p.b.set_read_deadline(std::chrono::steady_clock::now() + 10s);
      EXPECT_EQ(read_full(p.b, 100), "x");
    }
  });
}

TEST_P(NetTcp, ShortReadsLoseNothing) {
  run([] {
    Pair p = connected();
    WaitGroup wg;
    int rounds = scaled(20'000);
    wg.go([&] {
      for (int i = 0; i < rounds; i++) {
        p.a.write("12345");
        if (i % 64 == 0) gosched();
      }
      p.a.close_write();
    });
    char buffer[512];
    size_t got = 0;
    while (size_t n = p.b.read(buffer, sizeof buffer)) got += n;
    EXPECT_EQ(got, static_cast<size_t>(rounds) * 5);
    wg.wait();
  });
}

// A read stops short at urgent data, and what comes after it makes no event of its own.
TEST_P(NetTcp, UrgentDataDoesNotStallAReader) {
  run([] {
    for (int round = 0; round < scaled(100); round++) {
      Pair p = connected();
      p.a.write("before");
      ASSERT_EQ(send(p.a.native_handle(), "!", 1, MSG_OOB), 1);
      p.a.write("after");
      if (round % 8 == 0) let_poll();
      p.b.set_read_deadline(std::chrono::steady_clock::now() + 10s);
      EXPECT_EQ(read_full(p.b, 11), "beforeafter");
      // Also when the reader has emptied the socket before.
      WaitGroup wg;
      wg.go([&] { EXPECT_EQ(read_full(p.b, 11), "beforeafter"); });
      p.a.write("before");
      if (round % 2) gosched();
      ASSERT_EQ(send(p.a.native_handle(), "!", 1, MSG_OOB), 1);
      p.a.write("after");
      wg.wait();
    }
  });
}

TEST_P(NetTcp, HalfClosedConnectionsStillCarryTheOtherDirection) {
  run([] {
    Pair p = connected();
    p.a.write("question");
    p.a.close_write();
    EXPECT_EQ(read_full(p.b, 100), "question");
    p.b.write("answer");
    p.b.close();
    EXPECT_EQ(read_full(p.a, 100), "answer");
    EXPECT_EQ(text_of([&] { p.a.write("more"); }), "write tcp " + p.a.local_addr().to_string() +
                                                       "->" + p.a.remote_addr().to_string() +
                                                       ": write: broken pipe");
  });
}

TEST_P(NetTcp, CloseReadEndsAReader) {
  run([] {
    Pair p = connected();
    WaitGroup wg;
    uint64_t reader = go_with_id([&, done = (wg.add(1), &wg)] {
      char c;
      EXPECT_EQ(p.a.read(&c, 1), 0u);
      done->done();
    });
    ASSERT_TRUE(waits(reader, introspect::WaitReason::io_wait));
    p.a.close_read();
    wg.wait();
  });
}

TEST_P(NetTcp, AResetIsAnError) {
  run([] {
    Pair p = connected();
    p.a.set_linger(0s);
    WaitGroup wg;
    wg.add(1);
    uint64_t reader = go_with_id([&] {
      char c;
      auto e = error_of([&] { p.b.read(&c, 1); });
      ASSERT_TRUE(e);
      EXPECT_EQ(e->code(), std::errc::connection_reset);
      EXPECT_FALSE(e->timeout());
      EXPECT_EQ(std::string(e->what()), "read tcp " + p.b.local_addr().to_string() + "->" +
                                            p.b.remote_addr().to_string() +
                                            ": read: connection reset by peer");
      wg.done();
    });
    ASSERT_TRUE(waits(reader, introspect::WaitReason::io_wait));
    p.a.close();
    wg.wait();
    auto e = error_of([&] { p.b.write("x"); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->code(), std::errc::broken_pipe) << "and no SIGPIPE";
  });
}

TEST_P(NetTcp, AResetWakesAWriter) {
  run([] {
    Pair p = connected();
    fill(p.b);
    p.a.set_linger(0s);
    WaitGroup wg;
    wg.add(1);
    uint64_t writer = go_with_id([&] {
      std::string block(1 << 20, 'x');
      auto e = error_of([&] { p.b.write(block); });
      EXPECT_TRUE(e && e->code() == std::errc::connection_reset);
      wg.done();
    });
    ASSERT_TRUE(waits(writer, introspect::WaitReason::io_wait));
    p.a.close();
    wg.wait();
  });
}

TEST_P(NetTcp, GatheredWritesAreOneStream) {
  run([] {
    Pair p = connected();
    std::string all;
    std::vector<std::string> parts;
    for (int i = 0; i < 300; i++) {
      parts.emplace_back(static_cast<size_t>(i * 37 % 4000), static_cast<char>('a' + i % 26));
      all += parts.back();
    }
    std::vector<iovec> vectors;
    for (std::string& part : parts) vectors.push_back({part.data(), part.size()});
    WaitGroup wg;
    wg.go([&] { EXPECT_EQ(p.a.writev(vectors), all.size()); });
    EXPECT_EQ(read_full(p.b, all.size()), all);
    wg.wait();
    EXPECT_EQ(p.a.writev({}), 0u);
  });
}

TEST_P(NetTcp, ConcurrentWritesAreNotMixed) {
  run([] {
    Pair p = connected();
    constexpr size_t kBlock = 300'000;
    WaitGroup wg;
    for (char letter : {'a', 'b', 'c', 'd'}) {
      wg.go([&, letter] { p.a.write(std::string(kBlock, letter)); });
    }
    std::set<char> seen;
    for (int i = 0; i < 4; i++) {
      std::string block = read_full(p.b, kBlock);
      EXPECT_EQ(block, std::string(kBlock, block.front()));
      seen.insert(block.front());
    }
    EXPECT_EQ(seen.size(), 4u);
    wg.wait();
  });
}

TEST_P(NetTcp, ConcurrentReadsShareTheStream) {
  run([] {
    Pair p = connected();
    std::atomic<size_t> got{0};
    WaitGroup wg;
    for (int i = 0; i < 8; i++) {
      wg.go([&] {
        char buffer[100];
        while (size_t n = p.b.read(buffer, sizeof buffer)) got += n;
      });
    }
    for (int i = 0; i < 500; i++) p.a.write("0123456789");
    p.a.close();
    wg.wait();
    EXPECT_EQ(got, 5000u);
  });
}

TEST_P(NetTcp, TheLastHandleCloses) {
  run([] {
    Pair p = connected();
    net::Conn copy = p.a;
    p.a = {};
    copy.write("x");
    EXPECT_EQ(read_full(p.b, 1), "x");
    net::Conn moved = std::move(copy);
    EXPECT_FALSE(copy);
    EXPECT_TRUE(moved);
    moved = {};
    char c;
    EXPECT_EQ(p.b.read(&c, 1), 0u);
  });
}

TEST_P(NetTcp, AHandleThatNamesNothingSaysSo) {
  run([] {
    net::Conn none;
    EXPECT_FALSE(none);
    char c;
    for (auto& e : {error_of([&] { none.read(&c, 1); }), error_of([&] { none.write("x"); }),
                    error_of([&] { none.close(); }), error_of([&] { none.local_addr(); }),
                    error_of([&] { none.set_deadline(net::kNoDeadline); }),
                    error_of([&] { (void)net::Listener().accept(); })}) {
      ASSERT_TRUE(e);
      EXPECT_EQ(e->code(), std::errc::invalid_argument);
    }
  });
}

TEST_P(NetTcp, BothEndsKnowTheirAddresses) {
  run([] {
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    EXPECT_EQ(l.addr().host(), "127.0.0.1");
    EXPECT_NE(l.addr().port(), 0);
    EXPECT_STREQ(l.addr().network(), "tcp");
    net::Conn a = net::dial("tcp4", l.addr().to_string());
    net::Conn b = l.accept();
    EXPECT_EQ(a.remote_addr(), l.addr());
    EXPECT_EQ(b.remote_addr(), a.local_addr());
    EXPECT_EQ(b.local_addr(), l.addr());
    EXPECT_NE(a.local_addr(), a.remote_addr());
    a.close();
    EXPECT_EQ(b.remote_addr(), a.local_addr()) << "also after close";
  });
}

TEST_P(NetTcp, SpeaksIPv6) {
  run([] {
    if (!have_v6()) GTEST_SKIP() << "no ::1 here";
    Pair p = connected("tcp6");
    p.a.write("six");
    EXPECT_EQ(read_full(p.b, 3), "six");
    EXPECT_EQ(p.a.remote_addr().host(), "::1");
    EXPECT_EQ(p.a.remote_addr().to_string(), "[::1]:" + std::to_string(p.b.local_addr().port()));
  });
}

TEST_P(NetTcp, OptionsAreSet) {
  run([] {
    Pair p = connected();
    auto option = [](const net::Conn& c, int level, int name) {
      int value = -1;
      socklen_t size = sizeof value;
      getsockopt(c.native_handle(), level, name, &value, &size);
      return value;
    };
    for (const net::Conn& c : {p.a, p.b}) {
      EXPECT_EQ(option(c, IPPROTO_TCP, TCP_NODELAY), 1);
      EXPECT_EQ(option(c, SOL_SOCKET, SO_KEEPALIVE), 1);
      EXPECT_EQ(option(c, IPPROTO_TCP, TCP_KEEPIDLE), 15);
      EXPECT_EQ(option(c, IPPROTO_TCP, TCP_KEEPINTVL), 15);
      c.set_no_delay(false);
      EXPECT_EQ(option(c, IPPROTO_TCP, TCP_NODELAY), 0);
      c.set_keep_alive(60s);
      EXPECT_EQ(option(c, IPPROTO_TCP, TCP_KEEPIDLE), 60);
      c.set_keep_alive(0s);
      EXPECT_EQ(option(c, SOL_SOCKET, SO_KEEPALIVE), 0);
      c.set_read_buffer(20'000);
      EXPECT_EQ(option(c, SOL_SOCKET, SO_RCVBUF), 40'000) << "the kernel doubles it";
    }
  });
}

TEST_P(NetTcp, NoRoomForNothing) {
  run([] {
    Pair p = connected();
    EXPECT_EQ(p.a.read(nullptr, 0), 0u);
    EXPECT_EQ(p.a.write(nullptr, 0), 0u);
  });
}

// The first IO of the program: nobody has asked the network yet.
TEST(NetSched, IsServedWhileAGoroutineComputes) {
  weir::run(
      [] {
        net::Listener listener = net::listen("tcp", "127.0.0.1:0");
        std::atomic<bool> accepted{false}, parked{false};
        WaitGroup wg;
        wg.go([&] {
          parked = true;
          net::Conn conn = listener.accept();
          accepted = true;
        });
        while (!parked) gosched();
        std::thread client([&] { net::dial("tcp", listener.addr().to_string()).close(); });
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!accepted && std::chrono::steady_clock::now() < end) {
        }
        EXPECT_TRUE(accepted);
        client.join();
        wg.wait();
      },
      {.maxprocs = 1});
}

}  // namespace
}  // namespace weir::testing
