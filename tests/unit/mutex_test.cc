// Mutex: mutual exclusion, try_lock, fairness by hand-over, and the standard's lock guards.

#include <array>
#include <chrono>
#include <mutex>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(MutexTest);

constinit Mutex global_mutex;
int guarded_by_global;

TEST_P(MutexTest, ExcludesAllOthers) {
  run([] {
    Mutex mu;
    int plain = 0;  // ThreadSanitizer watches it
    std::atomic<int> inside{0};
    int n = scaled(20'000);
    WaitGroup wg;
    for (int g = 0; g < 8; g++) {
      wg.go([&, n] {
        for (int i = 0; i < n; i++) {
          std::scoped_lock hold(mu);
          if (inside.fetch_add(1) != 0) ADD_FAILURE() << "two inside";
          plain++;
          inside.fetch_sub(1);
        }
      });
    }
    wg.wait();
    EXPECT_EQ(plain, 8 * n);
  });
}

TEST_P(MutexTest, ExcludesWhileItsOwnerIsParked) {
  run([] {
    Mutex mu;
    std::array<int, 2> pair{};
    WaitGroup wg;
    for (int g = 0; g < 6; g++) {
      wg.go([&, g] {
        for (int i = 0; i < 50; i++) {
          std::scoped_lock hold(mu);
          EXPECT_EQ(pair[0], pair[1]);
          pair[0]++;
          if ((g + i) % 3 == 0) {
            sleep_for(std::chrono::microseconds(20));
          } else {
            gosched();
          }
          pair[1]++;
        }
      });
    }
    wg.wait();
    EXPECT_EQ(pair[1], 300);
  });
}

TEST_P(MutexTest, AWaiterIsParkedUntilUnlock) {
  run([] {
    Mutex mu;
    std::atomic<bool> entered{false};
    WaitGroup wg;
    wg.add(1);
    mu.lock();
    uint64_t id = go_with_id([&] {
      mu.lock();
      entered = true;
      mu.unlock();
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::mutex_lock));
    EXPECT_FALSE(entered);
    mu.unlock();
    wg.wait();
    EXPECT_TRUE(entered);
  });
}

TEST_P(MutexTest, LockingTwiceBlocks) {
  // For good: the mutex outlives the program's tests, and nobody unlocks it.
  run([] {
    static Mutex mu;
    static std::atomic<bool> went_on{false};
    static std::atomic<int> rounds{0};
    if (rounds++ > 0) return;
    uint64_t id = go_with_id([] {
      mu.lock();
      mu.lock();
      went_on = true;
    });
    EXPECT_TRUE(waits(id, WaitReason::mutex_lock));
    EXPECT_FALSE(went_on);
  });
}

TEST_P(MutexTest, TryLockNeverBlocks) {
  run([] {
    Mutex mu;
    ASSERT_TRUE(mu.try_lock());
    EXPECT_FALSE(mu.try_lock());
    WaitGroup wg;
    wg.go([&] { EXPECT_FALSE(mu.try_lock()); });
    wg.wait();
    mu.unlock();
    wg.go([&] {
      EXPECT_TRUE(mu.try_lock());
      mu.unlock();
    });
    wg.wait();
    mu.lock();
    mu.unlock();

    int got = 0, plain = 0;
    int n = scaled(20'000);
    std::atomic<int> counted{0};
    for (int g = 0; g < 4; g++) {
      wg.go([&, n] {
        for (int i = 0; i < n; i++) {
          if (std::unique_lock hold(mu, std::try_to_lock); hold) {
            plain++;
            counted++;
          }
        }
      });
    }
    wg.wait();
    got = counted;
    EXPECT_EQ(plain, got);
    EXPECT_GT(got, 0);
  });
}

TEST_P(MutexTest, ManyWaitersEachGetIt) {
  run([] {
    Mutex mu;
    int n = scaled(2000), entered = 0;
    WaitGroup wg;
    mu.lock();
    for (int i = 0; i < n; i++) {
      wg.go([&] {
        std::scoped_lock hold(mu);
        entered++;
      });
    }
    ASSERT_TRUE(settle());
    EXPECT_EQ(entered, 0);
    mu.unlock();
    wg.wait();
    EXPECT_EQ(entered, n);
  });
}

// Without hand-over the goroutine that holds the lock nearly always would take it again each time.
TEST_P(MutexTest, AWaiterIsNotStarvedByOneThatLocksAgainAtOnce) {
  run([] {
    Mutex mu;
    std::atomic<bool> stop{false};
    WaitGroup wg;
    wg.go([&] {
      while (!stop) {
        std::scoped_lock hold(mu);
        sleep_for(std::chrono::microseconds(100));
      }
    });
    std::atomic<int> got{0};
    wg.go([&] {
      for (int i = 0; i < 10; i++) {
        sleep_for(std::chrono::microseconds(100));
        std::scoped_lock hold(mu);
        got++;
      }
      stop = true;
    });
    EXPECT_TRUE(eventually([&] { return got == 10; }));
    stop = true;
    wg.wait();
  });
}

TEST_P(MutexTest, WaitersGetItPastAnOwnerThatNeverPauses) {
  run([] {
    Mutex mu;
    int entered = 0;
    WaitGroup wg;
    mu.lock();
    for (int i = 0; i < 5; i++) {
      wg.add(1);
      uint64_t id = go_with_id([&] {
        mu.lock();
        entered++;
        mu.unlock();
        wg.done();
      });
      ASSERT_TRUE(waits(id, WaitReason::mutex_lock));
    }
    // Never blocks but for the lock itself, which is handed over to who has waited for over 1 ms.
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (entered < 5 && std::chrono::steady_clock::now() < deadline) {
      mu.unlock();
      mu.lock();
    }
    EXPECT_EQ(entered, 5);
    mu.unlock();
    wg.wait();
  });
}

TEST_P(MutexTest, WorksWithTheStandardsLocks) {
  run([] {
    Mutex a, b;
    int plain = 0;
    WaitGroup wg;
    for (int g = 0; g < 4; g++) {
      wg.go([&, g] {
        for (int i = 0; i < scaled(1000); i++) {
          if (g % 2) {
            std::scoped_lock both(a, b);
            plain++;
          } else {
            std::scoped_lock both(b, a);
            plain++;
          }
        }
      });
    }
    wg.wait();
    EXPECT_EQ(plain, 4 * scaled(1000));
    std::unique_lock later(a, std::defer_lock);
    EXPECT_FALSE(later.owns_lock());
    later.lock();
    EXPECT_FALSE(a.try_lock());
    later.unlock();
    std::lock_guard hold(a);
  });
}

TEST_P(MutexTest, IsReleasedByAnExceptionAndByGoexit) {
  run([] {
    Mutex mu;
    WaitGroup wg;
    wg.go([&] {
      try {
        std::scoped_lock hold(mu);
        throw 1;
      } catch (int) {
      }
      std::scoped_lock hold(mu);
      goexit();
    });
    wg.wait();
    EXPECT_TRUE(mu.try_lock());
    mu.unlock();
  });
}

TEST_P(MutexTest, AGlobalOneNeedsNoConstructor) {
  run([] {
    int before = guarded_by_global;
    WaitGroup wg;
    for (int g = 0; g < 4; g++) {
      wg.go([] {
        for (int i = 0; i < 100; i++) {
          std::scoped_lock hold(global_mutex);
          guarded_by_global++;
          if (i % 10 == 0) gosched();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(guarded_by_global, before + 400);
  });
}

}  // namespace
}  // namespace weir::testing
