// WaitGroup: waits for all, is used again and again, has many waiters.

#include <stdexcept>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(WaitGroupTest);

TEST_P(WaitGroupTest, WaitsForAll) {
  run([] {
    WaitGroup wg;
    int n = 16;
    auto exited = make_chan<bool>(static_cast<size_t>(n));
    wg.add(n);
    std::atomic<bool> waited{false};
    auto released = make_chan<int>();
    for (int i = 0; i < n; i++) {
      go([&, exited, released] {
        released.recv();
        if (waited) ADD_FAILURE() << "wait returned too early";
        exited.send(true);
        wg.done();
      });
    }
    ASSERT_TRUE(settle());
    released.close();
    wg.wait();
    waited = true;
    EXPECT_EQ(exited.len(), static_cast<size_t>(n));
  });
}

TEST_P(WaitGroupTest, AZeroCounterDoesNotBlock) {
  run([] {
    WaitGroup wg;
    wg.wait();
    wg.add(3);
    wg.add(-2);
    wg.add(-1);
    wg.wait();
    wg.add(0);
    wg.wait();
  });
}

TEST_P(WaitGroupTest, IsUsedAgain) {
  run([] {
    WaitGroup wg;
    int sum = 0;  // plain: done happens before wait returns
    for (int round = 0; round < scaled(2000); round++) {
      wg.add(1);
      go([&] {
        sum++;
        wg.done();
      });
      wg.wait();
      ASSERT_EQ(sum, round + 1);
    }
  });
}

TEST_P(WaitGroupTest, HasManyWaiters) {
  run([] {
    WaitGroup work, waiters;
    int n = scaled(1000);
    std::atomic<int> woken{0};
    work.add(2);
    for (int i = 0; i < n; i++) {
      waiters.go([&] {
        work.wait();
        woken++;
      });
    }
    ASSERT_TRUE(settle());
    work.done();
    ASSERT_TRUE(settle());
    EXPECT_EQ(woken.load(), 0);
    work.done();
    waiters.wait();
    EXPECT_EQ(woken.load(), n);
  });
}

TEST_P(WaitGroupTest, AWaiterIsParked) {
  run([] {
    WaitGroup work, end;
    work.add(1);
    end.add(1);
    uint64_t id = go_with_id([&] {
      work.wait();
      end.done();
    });
    EXPECT_TRUE(waits(id, WaitReason::waitgroup_wait));
    work.done();
    end.wait();
  });
}

TEST_P(WaitGroupTest, GoCallsDoneHoweverTheFunctionEnds) {
  run([] {
    WaitGroup wg;
    std::vector<int> plain(3);
    wg.go([&] { plain[0] = 1; });
    wg.go([&] {
      plain[1] = 1;
      goexit();
    });
    wg.go([&] {
      try {
        throw std::runtime_error("caught");
      } catch (const std::runtime_error&) {
        plain[2] = 1;
        return;
      }
    });
    wg.wait();
    EXPECT_EQ(plain, (std::vector<int>{1, 1, 1}));
  });
}

TEST_P(WaitGroupTest, WorkMayAddWork) {
  run([] {
    WaitGroup wg;
    std::atomic<int> ran{0};
    struct Spread {
      WaitGroup& wg;
      std::atomic<int>& ran;
      void at(int depth) const {
        ran++;
        if (depth == 0) return;
        for (int i = 0; i < 2; i++) wg.go([*this, depth] { at(depth - 1); });
      }
    };
    int depth = kTsan ? 8 : 12;
    wg.go([&, depth] { Spread{wg, ran}.at(depth); });
    wg.wait();
    EXPECT_EQ(ran.load(), (2 << depth) - 1);
  });
}

// A group that its waiter destroys as soon as wait returns.
TEST_P(WaitGroupTest, MayBeDestroyedAfterWait) {
  run([] {
    for (int i = 0; i < scaled(2000); i++) {
      auto wg = std::make_unique<WaitGroup>();
      wg->add(2);
      for (int j = 0; j < 2; j++) go([g = wg.get()] { g->done(); });
      wg->wait();
    }
  });
}

}  // namespace
}  // namespace weir::testing
