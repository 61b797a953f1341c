// Plain OS threads use the network too, while no weir::run is under way, and together with
// goroutines.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "net_test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using introspect::State;
using introspect::WaitReason;

// Waits until the thread `id` shows itself waiting for IO.
bool thread_waits(uint64_t id) {
  return eventually([&] {
    auto look = look_at(id);
    return look && look->g.state == State::waiting && look->g.wait_reason == WaitReason::io_wait;
  });
}

// A thread that runs f; ready when `id` is set.
template <class F>
std::thread thread_with_id(std::atomic<uint64_t>& id, F f) {
  std::thread t([&id, f] {
    id = goid();
    f();
  });
  while (id == 0) std::this_thread::yield();
  return t;
}

TEST(NetThread, EchoesWithoutAScheduler) {
  for (std::string network : {"tcp", "unix"}) {
    leaving_nothing([&] {
      net::Listener l = net::listen(network, network == "tcp" ? "127.0.0.1:0" : a_name("thread"));
      std::thread server([&] { echo(l.accept()); });
      net::Conn c = net::dial(network, l.addr().to_string());
      for (int i = 0; i < 100; i++) {
        std::string text(static_cast<size_t>(1 + i * 1000), 'a');
        std::thread writer([&] { c.write(text); });
        EXPECT_EQ(read_full(c, text.size()), text);
        writer.join();
      }
      c.close();
      server.join();
    });
  }
}

TEST(NetThread, EchoesDatagrams) {
  leaving_nothing([] {
    net::PacketConn a = net::listen_packet("udp", "127.0.0.1:0");
    std::thread server([&] {
      char buffer[100];
      net::Packet p = a.read_from(buffer, sizeof buffer);
      a.write_to(buffer, p.size, p.from);
    });
    net::Conn c = net::dial("udp", a.local_addr().to_string());
    c.write("hello");
    char buffer[100];
    EXPECT_EQ(c.read(buffer, sizeof buffer), 5u);
    server.join();
  });
}

TEST(NetThread, DeadlinesWakeIt) {
  leaving_nothing([] {
    Pair p = connected();
    auto deadline = Clock::now() + 20ms;
    p.a.set_read_deadline(deadline);
    char c;
    EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
    EXPECT_GE(Clock::now(), deadline);
    p.b.write("x");
    EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout()) << "although something is there";
    fill(p.b);
  });
}

TEST(NetThread, DeadlinesAreMovedWhileItWaits) {
  leaving_nothing([] {
    Pair p = connected();
    std::atomic<uint64_t> id{0};
    std::thread reader;
    bool in_time = false;
    for (auto soon = 20ms; !in_time; soon *= 4) {  // more for a machine that is too busy
      ASSERT_LT(soon, 1min);
      id = 0;
      std::atomic<bool> done{false};
      reader = thread_with_id(id, [&] {
        char c;
        EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
        done = true;
      });
      EXPECT_TRUE(thread_waits(id));
      const auto first = Clock::now() + soon;
      p.a.set_read_deadline(first);
      p.a.set_read_deadline(Clock::now() + 1h);
      in_time = Clock::now() < first;
      std::this_thread::sleep_until(first + 20ms);
      if (in_time) {
        EXPECT_FALSE(done);
      }
      p.a.set_read_deadline(Clock::now() + 5ms);
      reader.join();
      p.a.set_read_deadline(net::kNoDeadline);
    }

    id = 0;
    reader = thread_with_id(id, [&] {
      char c;
      EXPECT_TRUE(error_of([&] { p.a.read(&c, 1); })->timeout());
    });
    p.a.set_read_deadline(Clock::now() - 1s);
    reader.join();
  });
}

TEST(NetThread, CloseWakesIt) {
  leaving_nothing([] {
    for (int i = 0; i < scaled(100); i++) {
      Pair p = connected();
      net::Listener l = net::listen("tcp", "127.0.0.1:0");
      std::atomic<uint64_t> reader_id{0}, accepter_id{0};
      std::thread reader = thread_with_id(reader_id, [&] {
        char c;
        EXPECT_EQ(error_of([&] { p.a.read(&c, 1); })->code(), net::errc::closed);
      });
      std::thread accepter = thread_with_id(accepter_id, [&] {
        EXPECT_EQ(error_of([&] { (void)l.accept(); })->code(), net::errc::closed);
      });
      if (i % 2) {
        EXPECT_TRUE(thread_waits(reader_id));
        EXPECT_TRUE(thread_waits(accepter_id));
      }
      p.a.close();
      l.close();
      reader.join();
      accepter.join();
    }
  });
}

TEST(NetThread, ShowsWhatItWaitsFor) {
  leaving_nothing([] {
    Pair p = connected();
    std::atomic<uint64_t> id{0};
    std::thread reader = thread_with_id(id, [&] {
      char c;
      EXPECT_EQ(p.a.read(&c, 1), 1u);
    });
    ASSERT_TRUE(thread_waits(id));
    introspect::Goroutine seen{};
    ASSERT_TRUE(eventually([&] {
      auto look = look_at(id);
      return look && introspect::interrupt(
                         look->slot, id,
                         [](const introspect::Goroutine& g, const introspect::Registers&,
                            void* to) { *static_cast<introspect::Goroutine*>(to) = g; },
                         &seen, 1'000'000'000);
    }));
    ASSERT_EQ(seen.object_count, 1u);
    EXPECT_EQ(seen.objects[0].kind, introspect::ObjectKind::io);
    EXPECT_EQ(seen.objects[0].fd, p.a.native_handle());
    EXPECT_EQ(seen.io_remote, p.a.remote_addr().to_string());
    p.b.write("x");
    reader.join();
  });
}

TEST(NetThread, NamesAreLookedUp) {
  auto hosts = net::Resolver().lookup_host("localhost");
  EXPECT_NE(std::find(hosts.begin(), hosts.end(), "127.0.0.1"), hosts.end());
}

// Conns go from threads to goroutines and back, and no event is lost on the way.
TEST(NetThread, SharesConnectionsWithGoroutines) {
  leaving_nothing([] {
    Pair p = connected();
    for (int round = 0; round < 3; round++) {
      char buffer[100];
      p.a.write("before");  // an event while nobody polls
      weir::run(
          [&] {
            char in[100];
            EXPECT_EQ(p.b.read(in, sizeof in), 6u);
            std::thread thread([&] {
              char text[100];
              for (int i = 0; i < scaled(1000); i++) {
                size_t n = p.a.read(text, sizeof text);
                p.a.write(text, n);
              }
            });
            for (int i = 0; i < scaled(1000); i++) {
              p.b.write("ping");
              EXPECT_EQ(p.b.read(in, sizeof in), 4u);
            }
            thread.join();
            p.a.write("after");
            EXPECT_EQ(p.b.read(in, sizeof in), 5u);
            p.b.write("thread");
          },
          {.maxprocs = 2});
      EXPECT_EQ(p.a.read(buffer, sizeof buffer), 6u);
      p.a.write("0123456789");
      EXPECT_EQ(p.b.read(buffer, sizeof buffer), 10u);
    }
  });
}

// It has no descriptor left to be woken by: then it looks by itself now and then.
TEST(NetThread, WaitsWithoutASpareDescriptor) {
  Pair p = connected();
  rlimit limit{}, few{};
  getrlimit(RLIMIT_NOFILE, &limit);
  std::atomic<uint64_t> id{0};
  few.rlim_max = limit.rlim_max;
  few.rlim_cur = 3;  // they are in use
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  std::atomic<bool> got{false};
  std::thread reader = thread_with_id(id, [&] {
    char c;
    EXPECT_EQ(p.a.read(&c, 1), 1u);
    got = true;
    EXPECT_EQ(error_of([&] { p.a.read(&c, 1); })->code(), net::errc::closed);
  });
  EXPECT_TRUE(thread_waits(id));
  p.b.write("x");
  EXPECT_TRUE(eventually([&] { return got.load(); }));
  EXPECT_TRUE(thread_waits(id));
  p.a.close();
  reader.join();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

}  // namespace
}  // namespace weir::testing
