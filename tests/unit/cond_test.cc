// Cond: wakes in order, one or all, and misses nothing.

#include <weir/cond.h>

#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(CondTest);

// Goroutines that wait on one Cond, in the order of their numbers, and note when they are through.
struct Line {
  Mutex mu;
  Cond cond;
  std::vector<int> through;
  WaitGroup wg;

  // Adds a waiter, which is in line when this returns.
  uint64_t join(int number) {
    wg.add(1);
    uint64_t id = go_with_id([this, number] {
      {
        std::unique_lock hold(mu);
        cond.wait(hold);
        through.push_back(number);
      }
      wg.done();
    });
    EXPECT_TRUE(waits(id, WaitReason::cond_wait));
    return id;
  }
  size_t count() {
    std::scoped_lock hold(mu);
    return through.size();
  }
};

TEST_P(CondTest, SignalWakesTheOneThatWaitedLongest) {
  run([] {
    Line line;
    for (int i = 0; i < 10; i++) line.join(i);
    for (size_t i = 1; i <= 10; i++) {
      line.cond.signal();
      ASSERT_TRUE(eventually([&] { return line.count() == i; }));
      ASSERT_TRUE(settle());
      EXPECT_EQ(line.count(), i) << "one at a time";
    }
    line.wg.wait();
    EXPECT_EQ(line.through, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  });
}

TEST_P(CondTest, BroadcastWakesAllThatWait) {
  run([] {
    Line line;
    for (int i = 0; i < 10; i++) line.join(i);
    line.cond.broadcast();
    line.wg.wait();
    EXPECT_EQ(line.through.size(), 10u);
    // Nothing is left over for who comes later.
    line.join(10);
    ASSERT_TRUE(settle());
    EXPECT_EQ(line.count(), 10u);
    line.cond.broadcast();
    line.wg.wait();
  });
}

TEST_P(CondTest, ASignalWithoutWaitersIsLost) {
  run([] {
    Line line;
    line.cond.signal();
    line.cond.broadcast();
    line.join(0);
    ASSERT_TRUE(settle());
    EXPECT_EQ(line.count(), 0u);
    line.cond.signal();
    line.wg.wait();
  });
}

// Producers and consumers: a lost signal would hang it.
TEST_P(CondTest, WaitWithAPredicate) {
  run([] {
    Mutex mu;
    Cond nonempty, nonfull;
    std::vector<int> queue;
    constexpr size_t kRoom = 3;
    int each = scaled(3000), sum = 0;
    WaitGroup wg;
    for (int p = 0; p < 4; p++) {
      wg.go([&] {
        for (int i = 1; i <= each; i++) {
          std::unique_lock hold(mu);
          nonfull.wait(hold, [&] { return queue.size() < kRoom; });
          queue.push_back(i);
          nonempty.signal();
        }
      });
      wg.go([&] {
        for (int i = 1; i <= each; i++) {
          mu.lock();
          nonempty.wait(mu, [&] { return !queue.empty(); });
          sum += queue.back();
          queue.pop_back();
          mu.unlock();
          nonfull.signal();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(sum, 4 * each * (each + 1) / 2);
  });
}

// A lock that notes what is done with it, and can refuse.
struct OddLock {
  int locked = 1, unlocked = 0;
  bool refuse = false;
  Cond* signal_in_unlock = nullptr;
  void lock() { locked++; }
  void unlock() {
    if (signal_in_unlock) signal_in_unlock->signal();
    if (refuse) throw std::runtime_error("refused");
    unlocked++;
  }
};

TEST_P(CondTest, TakesAnyLock) {
  run([] {
    Cond cond;
    OddLock odd;
    odd.signal_in_unlock = &cond;  // after it got in line, before it parks
    cond.wait(odd);
    EXPECT_EQ(odd.locked, 2);
    EXPECT_EQ(odd.unlocked, 1);
    RWMutex rw;
    std::unique_lock hold(rw);
    WaitGroup wg;
    wg.go([&] {
      std::unique_lock other(rw);
      cond.signal();
    });
    cond.wait(hold);
    EXPECT_TRUE(hold.owns_lock());
    hold.unlock();
    wg.wait();
  });
}

TEST_P(CondTest, ALockThatThrowsLeavesTheLineAsItWas) {
  run([] {
    Line line;
    line.join(0);
    OddLock odd;
    odd.refuse = true;
    EXPECT_THROW(line.cond.wait(odd), std::runtime_error);
    line.join(1);
    line.cond.signal();
    ASSERT_TRUE(eventually([&] { return line.count() == 1; }));
    // It is signalled, and then refused: the signal goes to the next.
    odd.signal_in_unlock = &line.cond;
    line.cond.signal();
    line.wg.wait();
    line.wg.add(1);
    uint64_t later = 0;
    {
      struct JoinsLater : OddLock {
        Line* line;
        uint64_t* id;
        void unlock() {
          *id = line->join(2);
          line->wg.done();  // join added one, and so did the test
          OddLock::unlock();
        }
      } lock;
      lock.refuse = true;
      lock.signal_in_unlock = &line.cond;
      lock.line = &line;
      lock.id = &later;
      EXPECT_THROW(line.cond.wait(lock), std::runtime_error);
    }
    EXPECT_TRUE(eventually([&] { return line.count() == 3; }));
    ASSERT_TRUE(eventually([&] { return !look_at(later); }));
  });
}

TEST_P(CondTest, AWaiterShowsItsCond) {
  run([] {
    Line line;
    line.cond.broadcast();
    line.cond.signal();
    line.join(0);
    uint64_t id = line.join(1);
    auto look = look_at(id);
    ASSERT_EQ(look->g.object_count, 1u);
    const introspect::Object& o = look->g.objects[0];
    EXPECT_EQ(o.kind, introspect::ObjectKind::cond);
    EXPECT_EQ(o.address, &line.cond);
    EXPECT_EQ(o.waiters, 2u);
    EXPECT_EQ(o.signals, 2u);
    EXPECT_NE(o.signal_pc, nullptr);
    EXPECT_NE(o.made_pc, nullptr);
    line.cond.broadcast();
    line.wg.wait();
  });
}

TEST_P(CondTest, OnPlainThreads) {
  run([] {
    Mutex mu;
    Cond cond;
    int turn = 0;
    int rounds = scaled(500);
    auto play = [&](int me) {
      for (int i = 0; i < rounds; i++) {
        std::unique_lock hold(mu);
        cond.wait(hold, [&] { return turn % 2 == me; });
        turn++;
        cond.broadcast();
      }
    };
    std::atomic<bool> done{false};
    std::thread thread([&] {
      play(1);
      done = true;
    });
    play(0);
    EXPECT_TRUE(eventually([&] { return done.load(); }));
    thread.join();
    EXPECT_EQ(turn, 2 * rounds);
  });
}

}  // namespace
}  // namespace weir::testing
