// Plain OS threads use channels, locks, wait groups and select, with goroutines and with each
// other, before, during and after a run.

#include <array>
#include <mutex>
#include <random>
#include <set>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(Threads);

// Threads that are joined at the end of the scope.
class Crew {
 public:
  ~Crew() { join(); }
  template <class F>
  void add(F f) {
    threads_.emplace_back(std::move(f));
  }
  void join() {
    for (auto& t : threads_) t.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

TEST_P(Threads, StartGoroutinesAndWaitForThemBeforeTheRun) {
  auto ch = make_chan<int>();
  std::atomic<int> sum{0};
  go([ch] { ch.send(1); });  // waits for the run
  Crew crew;
  for (int i = 0; i < 3; i++) {
    crew.add([&, ch] {
      go([ch] { ch.send(10); });
      sum += *ch.recv();
    });
  }
  EXPECT_EQ(sum.load(), 0);
  run([&, ch] {
    sum += *ch.recv();
    EXPECT_TRUE(eventually([&] { return sum == 31; }));
  });
  crew.join();
  EXPECT_EQ(sum.load(), 31);
}

TEST(Threads, TalkToEachOtherOutsideOfARun) {
  auto ping = make_chan<int>(), pong = make_chan<int>();
  std::thread other([=] {
    for (int v : ping) pong.send(v + 1);
    pong.close();
  });
  for (int i = 0; i < 200; i++) {
    ping.send(i);
    EXPECT_EQ(pong.recv(), i + 1);
  }
  ping.close();
  EXPECT_FALSE(pong.recv());
  other.join();
}

TEST(Threads, ALeftOverGoroutineTakesTheirValueInTheNextRun) {
  auto in = make_chan<int>(), out = make_chan<int>(1);
  weir::run([&] {
    uint64_t id = go_with_id([in, out] { out.send(*in.recv() * 2); });
    ASSERT_TRUE(waits(id, WaitReason::chan_receive));
  });
  in.send(21);  // the receiver waits already, and is runnable from now on
  EXPECT_FALSE(out.try_recv()) << "it ran outside of a run";
  weir::run([&] { EXPECT_EQ(out.recv(), 42); });
}

TEST_P(Threads, SendAndReceiveWithGoroutines) {
  run([] {
    for (size_t cap : {0, 1, 16}) {
      auto to_threads = make_chan<int>(cap), to_goroutines = make_chan<int>(cap);
      int n = scaled(2000);
      std::atomic<int64_t> sum{0};
      WaitGroup threads_done, wg;
      threads_done.add(2);
      Crew crew;
      for (int t = 0; t < 2; t++) {
        crew.add([=, &threads_done] {
          for (int v : to_threads) to_goroutines.send(v * 2);
          threads_done.done();
        });
      }
      for (int g = 0; g < 2; g++) {
        wg.go([&, to_goroutines] {
          for (int v : to_goroutines) sum += v;
        });
      }
      for (int i = 1; i <= n; i++) to_threads.send(i);
      to_threads.close();
      threads_done.wait();
      to_goroutines.close();
      wg.wait();
      EXPECT_EQ(sum.load(), int64_t{n} * (n + 1));
      crew.join();
    }
  });
}

// A thread wakes a goroutine at the moment when the last M stops looking for work: the thread must
// wake an M, or that M must see the goroutine.
TEST_P(Threads, WakeGoroutinesThatAreJustFallingAsleep) {
  run([] {
    auto ch = make_chan<int>(), done = make_chan<int>();
    std::atomic<int> got{0};
    constexpr int kSends = scaled(200'000);
    // Where others keep the processors busy, each of them takes as long as a time slice.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::thread sender([&, ch] {
      std::minstd_rand random(7);
      for (int i = 1; i <= kSends && std::chrono::steady_clock::now() < end; i++) {
        auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(random() % 6'000);
        while (std::chrono::steady_clock::now() < until) {
        }
        ch.send(i);
        for (int spins = 0; got.load(std::memory_order_acquire) != i; spins++) {
          if (spins > 10'000) std::this_thread::yield();
        }
      }
      ch.close();
    });
    go([&, ch] {
      while (auto i = ch.recv()) got.store(*i, std::memory_order_release);
      done.close();
    });
    done.recv();
    sender.join();
  });
}

TEST_P(Threads, ShareMutexesWithGoroutines) {
  run([] {
    Mutex mu;
    RWMutex rw;
    int plain = 0, shared = 0;
    int n = scaled(4000);
    auto work = [&, n] {
      for (int i = 0; i < n; i++) {
        {
          std::scoped_lock hold(mu);
          plain++;
          if (i % 512 == 0) gosched();
        }
        if (i % 4 == 0) {
          std::unique_lock hold(rw);
          shared++;
        } else {
          std::shared_lock hold(rw);
          if (shared < 0) ADD_FAILURE();
        }
      }
    };
    WaitGroup all;
    all.add(6);
    Crew crew;
    for (int i = 0; i < 3; i++) {
      crew.add([&] {
        work();
        all.done();
      });
      go([&] {
        work();
        all.done();
      });
    }
    all.wait();
    EXPECT_EQ(plain, 6 * n);
    EXPECT_EQ(shared, 6 * (n / 4));
    crew.join();
  });
}

TEST_P(Threads, WaitForWaitGroupsAndAreWaitedFor) {
  run([] {
    for (int round = 0; round < 20; round++) {
      WaitGroup of_goroutines, of_threads;
      int a = 0, b = 0;  // plain: ordered by the groups
      of_goroutines.go([&] {
        sleep_for(std::chrono::microseconds(100));
        a = 1;
      });
      of_threads.add(1);
      Crew crew;
      crew.add([&] {
        of_goroutines.wait();
        EXPECT_EQ(a, 1);
        b = 2;
        of_threads.done();
      });
      of_threads.wait();
      EXPECT_EQ(b, 2);
    }
  });
}

TEST_P(Threads, Select) {
  run([] {
    auto a = make_chan<int>(), b = make_chan<int>(), back = make_chan<int>(),
         stop = make_chan<int>();
    std::array<std::atomic<int>, 2> sums{};
    Crew crew;
    for (int t = 0; t < 2; t++) {
      crew.add([&, a, b, back, stop] {
        for (bool on = true; on;) {
          int v = 0;
          select(on_recv(a, [&](std::optional<int> got) { v = *got; }),
                 on_recv(b, [&](std::optional<int> got) { v = -*got; }),
                 on_recv(stop, [&] { on = false; }));
          if (on) select(on_send(back, v), on_recv(stop, [&] { on = false; }));
        }
      });
    }
    int n = scaled(1000);
    WaitGroup wg;
    wg.go([=] {
      for (int i = 0; i < n; i++) select(on_send(a, 1), on_send(b, 1));
    });
    for (int i = 0; i < n; i++) sums[*back.recv() > 0 ? 0 : 1]++;
    wg.wait();
    EXPECT_EQ(sums[0] + sums[1], n);
    EXPECT_GT(sums[0].load(), 0);
    EXPECT_GT(sums[1].load(), 0);
    stop.close();
    EXPECT_EQ(select(on_recv(a), on_default()), 1u);
    // The crew's threads join from a goroutine: they end by themselves.
  });
}

TEST(Threads, SelectAmongThemselves) {
  auto a = make_chan<int>(), b = make_chan<int>(1);
  EXPECT_EQ(select(on_recv(a), on_default()), 1u);
  EXPECT_EQ(select(on_recv(a), on_send(b, 1)), 1u);
  std::thread other([a] { a.send(7); });
  int got = 0;
  EXPECT_EQ(select(on_send(b, 2), on_recv(a, [&](std::optional<int> v) { got = *v; })), 1u);
  EXPECT_EQ(got, 7);
  other.join();
}

TEST_P(Threads, ParkAndAreSeen) {
  run([] {
    auto ch = make_chan<int>();
    std::atomic<uint64_t> id{0};
    Crew crew;
    crew.add([&, ch] {
      id = goid();
      EXPECT_EQ(ch.recv(), 1);
    });
    ASSERT_TRUE(eventually([&] { return id != 0; }));
    ASSERT_TRUE(eventually([&] { return look_at(id).has_value(); }));
    EXPECT_TRUE(look_at(id)->g.thread);
    ch.send(1);
    crew.join();
    EXPECT_FALSE(look_at(id)) << "a thread that ended";
  });
}

TEST_P(Threads, AreNotCountedButHaveIds) {
  run([] {
    ASSERT_TRUE(settle());
    size_t before = num_goroutine();
    auto ids = make_chan<uint64_t>(), hold = make_chan<uint64_t>();
    Crew crew;
    for (int i = 0; i < 4; i++) {
      crew.add([=] {
        EXPECT_EQ(goid(), goid());
        ids.send(goid());
        hold.recv();
      });
    }
    std::set<uint64_t> seen{0, goid()};
    for (int i = 0; i < 4; i++) EXPECT_TRUE(seen.insert(*ids.recv()).second);
    EXPECT_EQ(num_goroutine(), before);
    hold.close();
  });
}

TEST(Threads, HaveTheOtherCallsToo) {
  gosched();
  auto start = std::chrono::steady_clock::now();
  sleep_for(std::chrono::milliseconds(2));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(2));
  sleep_for(std::chrono::milliseconds(-2));
  EXPECT_GE(gomaxprocs(), 0);
  EXPECT_THROW(goexit(), std::logic_error);
  Mutex mu;
  mu.lock();
  EXPECT_FALSE(mu.try_lock());
  mu.unlock();
}

TEST_P(Threads, HandALockOverInBothDirections) {
  run([] {
    Mutex mu;
    int plain = 0;
    for (int i = 0; i < 20; i++) {
      Crew crew;
      std::atomic<uint64_t> id{0};
      WaitGroup done;
      done.add(1);
      mu.lock();
      crew.add([&] {
        id = goid();
        std::scoped_lock hold(mu);
        plain++;
        done.done();
      });
      ASSERT_TRUE(eventually([&] { return id != 0; }));
      gosched();
      plain++;
      mu.unlock();
      done.wait();
      std::scoped_lock hold(mu);
      EXPECT_EQ(plain, 2 * (i + 1));
    }
  });
}

TEST_P(Threads, KeepTheirExceptionsAcrossBlocking) {
  run([] {
    auto ch = make_chan<int>();
    WaitGroup caught;
    caught.add(2);
    Crew crew;
    for (int t = 0; t < 2; t++) {
      crew.add([&, ch, t] {
        try {
          throw std::runtime_error("thread " + std::to_string(t));
        } catch (const std::runtime_error& e) {
          ch.recv();
          EXPECT_EQ(std::string(e.what()), "thread " + std::to_string(t));
          EXPECT_NE(std::current_exception(), nullptr);
        }
        caught.done();
      });
    }
    ch.send(1);
    ch.send(2);
    caught.wait();
  });
}

TEST_P(Threads, ManyComeAndGo) {
  run([] {
    auto ch = make_chan<int>(4);
    int rounds = scaled(200), sum = 0;
    WaitGroup wg;
    wg.go([&, ch] {
      for (int v : ch) sum += v;
    });
    for (int i = 0; i < rounds; i++) {
      Crew crew;
      WaitGroup sent;
      sent.add(3);
      for (int t = 0; t < 3; t++) {
        crew.add([&, ch] {
          ch.send(1);
          sent.done();
        });
      }
      sent.wait();
    }
    ch.close();
    wg.wait();
    EXPECT_EQ(sum, 3 * rounds);
  });
}

}  // namespace
}  // namespace weir::testing
