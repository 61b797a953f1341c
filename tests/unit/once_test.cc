// Once: one call, for which all wait, whatever becomes of it.

#include <weir/once.h>

#include <stdexcept>
#include <thread>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(OnceTest);

TEST_P(OnceTest, CallsTheFirstFunctionOnly) {
  run([] {
    Once once;
    int first = 0, second = 0;
    for (int i = 0; i < 3; i++) once.call([&] { first++; });
    once.call([&] { second++; });
    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 0);
  });
}

TEST_P(OnceTest, OthersWaitUntilItIsDone) {
  run([] {
    Once once;
    int value = 0;
    auto go_on = make_chan<int>();
    WaitGroup wg;
    wg.add(1);
    uint64_t first = go_with_id([&, go_on] {
      once.call([&] {
        go_on.recv();
        value = 42;
      });
      wg.done();
    });
    ASSERT_TRUE(waits(first, WaitReason::chan_receive));
    std::atomic<int> through{0};
    for (int i = 0; i < 5; i++) {
      wg.go([&] {
        once.call([] { ADD_FAILURE() << "a second call"; });
        EXPECT_EQ(value, 42);
        through++;
      });
    }
    ASSERT_TRUE(settle());
    EXPECT_EQ(through.load(), 0);
    go_on.send(1);
    wg.wait();
    EXPECT_EQ(through.load(), 5);
  });
}

TEST_P(OnceTest, AnExceptionCountsAsDone) {
  run([] {
    Once once;
    EXPECT_THROW(once.call([] { throw std::runtime_error("first"); }), std::runtime_error);
    EXPECT_NO_THROW(once.call([] { ADD_FAILURE() << "a second call"; }));
  });
}

TEST_P(OnceTest, GoexitCountsAsDone) {
  run([] {
    Once once;
    WaitGroup wg;
    wg.go([&] { once.call([] { goexit(); }); });
    wg.wait();
    once.call([] { ADD_FAILURE() << "a second call"; });
  });
}

TEST_P(OnceTest, FromGoroutinesAndThreadsAtOnce) {
  run([] {
    for (int round = 0; round < scaled(200); round++) {
      Once once;
      int calls = 0;  // plain: who returns has seen it
      WaitGroup wg;
      std::atomic<bool> done{false};
      auto call = [&] {
        once.call([&] { calls++; });
        EXPECT_EQ(calls, 1);
      };
      std::thread thread([&] {
        call();
        done = true;
      });
      for (int i = 0; i < 4; i++) wg.go(call);
      wg.wait();
      EXPECT_TRUE(eventually([&] { return done.load(); }));
      thread.join();
    }
  });
}

}  // namespace
}  // namespace weir::testing
