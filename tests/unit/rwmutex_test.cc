// RWMutex: readers share, a writer excludes, a waiting writer goes ahead of new readers.

#include <mutex>
#include <shared_mutex>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(RWMutexTest);

TEST_P(RWMutexTest, ReadersShare) {
  run([] {
    for (int readers : {1, 3, 10}) {
      RWMutex rw;
      auto in = make_chan<int>(), out = make_chan<int>();
      WaitGroup wg;
      for (int i = 0; i < readers; i++) {
        wg.go([&, in, out] {
          rw.lock_shared();
          in.send(1);
          out.recv();
          rw.unlock_shared();
        });
      }
      for (int i = 0; i < readers; i++) in.recv();  // all hold it at once
      EXPECT_FALSE(rw.try_lock());
      EXPECT_TRUE(rw.try_lock_shared());
      rw.unlock_shared();
      out.close();
      wg.wait();
      EXPECT_TRUE(rw.try_lock());
      rw.unlock();
    }
  });
}

TEST_P(RWMutexTest, AWriterExcludesEverybody) {
  run([] {
    for (int readers : {1, 4, 12}) {
      RWMutex rw;
      // 10000 and more: a writer; else the number of readers.
      std::atomic<int> activity{0};
      int plain = 0;
      int n = scaled(4000);
      WaitGroup wg;
      auto read = [&] {
        for (int i = 0; i < n; i++) {
          rw.lock_shared();
          int a = activity.fetch_add(1) + 1;
          if (a < 1 || a >= 10'000) ADD_FAILURE() << "a reader beside a writer: " << a;
          if (plain < 0) ADD_FAILURE();
          activity.fetch_sub(1);
          rw.unlock_shared();
          if (i % 16 == 0) gosched();
        }
      };
      auto write = [&] {
        for (int i = 0; i < n; i++) {
          rw.lock();
          int a = activity.fetch_add(10'000) + 10'000;
          if (a != 10'000) ADD_FAILURE() << "a writer not alone: " << a;
          plain++;
          activity.fetch_sub(10'000);
          rw.unlock();
        }
      };
      wg.go(write);
      for (int i = 0; i < readers / 2; i++) wg.go(read);
      wg.go(write);
      for (int i = readers / 2; i < readers; i++) wg.go(read);
      wg.wait();
      EXPECT_EQ(plain, 2 * n);
    }
  });
}

TEST_P(RWMutexTest, AWaitingWriterGoesAheadOfNewReaders) {
  run([] {
    RWMutex rw;
    std::vector<char> order;
    Mutex order_lock;
    auto note = [&](char who) {
      std::scoped_lock hold(order_lock);
      order.push_back(who);
    };
    WaitGroup wg;
    wg.add(2);
    rw.lock_shared();
    uint64_t writer = go_with_id([&] {
      rw.lock();
      note('w');
      rw.unlock();
      wg.done();
    });
    ASSERT_TRUE(waits(writer, WaitReason::rwmutex_lock));
    EXPECT_FALSE(rw.try_lock_shared()) << "a writer waits";
    uint64_t reader = go_with_id([&] {
      rw.lock_shared();
      note('r');
      rw.unlock_shared();
      wg.done();
    });
    ASSERT_TRUE(waits(reader, WaitReason::rwmutex_rlock));
    EXPECT_TRUE(order.empty());
    rw.unlock_shared();
    wg.wait();
    EXPECT_EQ(order, (std::vector<char>{'w', 'r'}));
  });
}

TEST_P(RWMutexTest, WaitingReadersGoAheadOfTheNextWriter) {
  run([] {
    RWMutex rw;
    std::atomic<int> readers_in{0};
    std::atomic<bool> writer_saw_all{false};
    WaitGroup wg;
    wg.add(6);
    rw.lock();
    for (int i = 0; i < 5; i++) {
      uint64_t id = go_with_id([&] {
        rw.lock_shared();
        readers_in++;
        rw.unlock_shared();
        wg.done();
      });
      ASSERT_TRUE(waits(id, WaitReason::rwmutex_rlock));
    }
    uint64_t writer = go_with_id([&] {
      rw.lock();
      writer_saw_all = readers_in == 5;
      rw.unlock();
      wg.done();
    });
    // Behind another writer it waits for the inner mutex, as in Go.
    ASSERT_TRUE(waits(writer, WaitReason::mutex_lock));
    EXPECT_EQ(readers_in.load(), 0);
    rw.unlock();
    wg.wait();
    EXPECT_TRUE(writer_saw_all);
  });
}

TEST_P(RWMutexTest, TheTryVariantsNeverBlock) {
  run([] {
    RWMutex rw;
    ASSERT_TRUE(rw.try_lock());
    EXPECT_FALSE(rw.try_lock());
    EXPECT_FALSE(rw.try_lock_shared());
    rw.unlock();
    ASSERT_TRUE(rw.try_lock_shared());
    ASSERT_TRUE(rw.try_lock_shared());
    EXPECT_FALSE(rw.try_lock());
    rw.unlock_shared();
    EXPECT_FALSE(rw.try_lock());
    rw.unlock_shared();
    ASSERT_TRUE(rw.try_lock());
    rw.unlock();

    int plain = 0;
    std::atomic<int> writes{0};
    WaitGroup wg;
    for (int g = 0; g < 4; g++) {
      wg.go([&] {
        for (int i = 0; i < scaled(10'000); i++) {
          if (std::unique_lock hold(rw, std::try_to_lock); hold) {
            plain++;
            writes++;
          }
          if (std::shared_lock hold(rw, std::try_to_lock); hold) {
            if (plain < 0) ADD_FAILURE();
          }
        }
      });
    }
    wg.wait();
    EXPECT_EQ(plain, writes.load());
    EXPECT_GT(plain, 0);
  });
}

TEST_P(RWMutexTest, HoldersMayBlock) {
  run([] {
    RWMutex rw;
    int a = 0, b = 0;
    WaitGroup wg;
    for (int g = 0; g < 6; g++) {
      wg.go([&, g] {
        for (int i = 0; i < 40; i++) {
          if (g < 2) {
            std::unique_lock hold(rw);
            a++;
            gosched();
            b++;
          } else {
            std::shared_lock hold(rw);
            int seen = a;
            if (i % 4 == 0) {
              sleep_for(std::chrono::microseconds(20));
            } else {
              gosched();
            }
            EXPECT_EQ(seen, a);
            EXPECT_EQ(seen, b);
          }
        }
      });
    }
    wg.wait();
    EXPECT_EQ(a, 80);
  });
}

}  // namespace
}  // namespace weir::testing
