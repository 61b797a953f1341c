// Semaphore: never more than its size is taken, in the order of asking.

#include <weir/semaphore.h>

#include <thread>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(SemaphoreTest);

TEST_P(SemaphoreTest, TakesAndGives) {
  run([] {
    Semaphore sem(3);
    sem.acquire(2);
    EXPECT_FALSE(sem.try_acquire(2));
    EXPECT_TRUE(sem.try_acquire());
    EXPECT_FALSE(sem.try_acquire());
    EXPECT_TRUE(sem.try_acquire(0));
    sem.release(3);
    EXPECT_TRUE(sem.try_acquire(3));
    sem.release();
    sem.release(2);
    EXPECT_FALSE(sem.try_acquire(4)) << "more than there is";
  });
}

TEST_P(SemaphoreTest, MisuseThrows) {
  run([] {
    Semaphore sem(2);
    EXPECT_THROW(sem.acquire(3), panic_error);
    EXPECT_THROW(sem.release(), panic_error);
    sem.acquire();
    EXPECT_THROW(sem.release(2), panic_error);
    sem.release();
    Semaphore none(0);
    EXPECT_THROW(none.acquire(), panic_error);
  });
}

TEST_P(SemaphoreTest, ABigRequestIsNotOvertaken) {
  run([] {
    Semaphore sem(4);
    std::vector<int> order;
    Mutex mu;
    WaitGroup wg;
    sem.acquire(1);
    auto ask = [&](int number, size_t n) {
      wg.add(1);
      uint64_t id = go_with_id([&, number, n] {
        sem.acquire(n);
        {
          std::scoped_lock hold(mu);
          order.push_back(number);
        }
        sem.release(n);
        wg.done();
      });
      EXPECT_TRUE(waits(id, WaitReason::semacquire));
    };
    ask(1, 4);
    ask(2, 1);  // there is room for it, but not before the big one
    EXPECT_FALSE(sem.try_acquire(1));
    ask(3, 3);
    sem.release(1);
    wg.wait();
    ASSERT_EQ(order.size(), 3u);
    EXPECT_EQ(order[0], 1);
    EXPECT_TRUE(sem.try_acquire(4));
  });
}

TEST_P(SemaphoreTest, OneReleaseMayWakeMany) {
  run([] {
    Semaphore sem(10);
    sem.acquire(10);
    WaitGroup wg;
    std::atomic<int> got{0};
    for (int i = 0; i < 10; i++) {
      wg.go([&] {
        sem.acquire();
        got++;
      });
    }
    ASSERT_TRUE(settle());
    EXPECT_EQ(got.load(), 0);
    sem.release(10);
    wg.wait();
    EXPECT_EQ(got.load(), 10);
  });
}

TEST_P(SemaphoreTest, NeverMoreThanItsSizeIsTaken) {
  run([] {
    constexpr size_t kSize = 7;
    Semaphore sem(kSize);
    std::atomic<size_t> taken{0};
    WaitGroup wg;
    for (size_t g = 0; g < 16; g++) {
      wg.go([&, g] {
        for (int i = 0; i < scaled(1000); i++) {
          size_t n = (g * 31 + static_cast<size_t>(i)) % (kSize + 1);
          if (i % 5 != 0) {
            sem.acquire(n);
          } else if (!sem.try_acquire(n)) {
            continue;
          }
          EXPECT_LE(taken.fetch_add(n) + n, kSize);
          if (i % 3 == 0) gosched();
          taken -= n;
          sem.release(n);
        }
      });
    }
    wg.wait();
    EXPECT_TRUE(sem.try_acquire(kSize));
  });
}

TEST_P(SemaphoreTest, AWaiterShowsItsSemaphore) {
  run([] {
    Semaphore sem(5);
    sem.acquire(4);
    sem.release();
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&] {
      sem.acquire(3);
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::semacquire));
    auto look = look_at(id);
    ASSERT_EQ(look->g.object_count, 1u);
    const introspect::Object& o = look->g.objects[0];
    EXPECT_EQ(o.kind, introspect::ObjectKind::semaphore);
    EXPECT_EQ(o.address, &sem);
    EXPECT_EQ(o.cap, 5u);
    EXPECT_EQ(o.len, 3u);
    EXPECT_EQ(o.waiters, 1u);
    EXPECT_EQ(o.signals, 1u);
    EXPECT_NE(o.signal_pc, nullptr);
    EXPECT_NE(o.made_pc, nullptr);
    sem.release(3);
    wg.wait();
  });
}

TEST_P(SemaphoreTest, OnPlainThreads) {
  run([] {
    Semaphore sem(1);
    int count = 0, each = scaled(2000);
    auto work = [&] {
      for (int i = 0; i < each; i++) {
        sem.acquire();
        count++;
        sem.release();
      }
    };
    std::atomic<bool> done{false};
    std::thread thread([&] {
      work();
      done = true;
    });
    work();
    EXPECT_TRUE(eventually([&] { return done.load(); }));
    thread.join();
    EXPECT_EQ(count, 2 * each);
  });
}

}  // namespace
}  // namespace weir::testing
