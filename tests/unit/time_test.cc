// sleep_for and sleep_until: never early, never for ever, others run meanwhile.

#include <chrono>
#include <random>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using introspect::WaitReason;
using std::chrono::steady_clock;

WEIR_FOR_ALL_PROCS(Sleep);

TEST_P(Sleep, IsNeverTooShort) {
  run([] {
    for (auto d : {1us, 50us, 999us, 3000us, 20000us}) {
      auto start = steady_clock::now();
      sleep_for(d);
      EXPECT_GE(steady_clock::now() - start, d);
    }
    auto start = steady_clock::now();
    sleep_until(start + 5ms);
    EXPECT_GE(steady_clock::now(), start + 5ms);
    start = steady_clock::now();
    sleep_for(std::chrono::duration<double>(0.0015));  // any duration type
    EXPECT_GE(steady_clock::now() - start, 1500us);
  });
}

TEST_P(Sleep, NotPositiveReturnsAtOnce) {
  run([] {
    auto start = steady_clock::now();
    for (int i = 0; i < 1000; i++) {
      sleep_for(0s);
      sleep_for(-1s);
      sleep_for(std::chrono::nanoseconds::min());
      sleep_until(steady_clock::now() - 1h);
      sleep_until(steady_clock::time_point());
    }
    EXPECT_LT(steady_clock::now() - start, 30s);
  });
}

TEST_P(Sleep, OthersRunMeanwhile) {
  run([] {
    std::atomic<bool> awake{false};
    WaitGroup wg;
    wg.go([&] {
      sleep_for(30ms);
      awake = true;
    });
    int64_t rounds = 0;
    while (!awake) {
      rounds++;
      gosched();
    }
    EXPECT_GT(rounds, 1);
    wg.wait();
  });
}

TEST_P(Sleep, AShorterSleepEndsFirst) {
  run([] {
    // Far apart, so that a late timer does not matter; the long ones are made both before and
    // after.
    std::atomic<bool> early{false};
    std::atomic<int> ended{0};
    WaitGroup wg;
    auto sleeper = [&](std::chrono::milliseconds d, int before) {
      wg.go([&, d, before] {
        sleep_for(d);
        if (ended++ < before) early = true;
      });
    };
    sleeper(1200ms, 2);
    sleeper(600ms, 1);
    sleeper(1ms, 0);
    wg.wait();
    EXPECT_FALSE(early);
  });
}

TEST_P(Sleep, ANewEarlierTimerIsSeenByASleepingScheduler) {
  run([] {
    // For good; the scheduler then sleeps until a far time.
    uint64_t longest = go_with_id([] { sleep_for(std::chrono::nanoseconds::max()); });
    ASSERT_TRUE(waits(longest, WaitReason::sleep));
    for (int i = 0; i < 20; i++) {
      auto start = steady_clock::now();
      sleep_for(1ms);
      EXPECT_LT(steady_clock::now() - start, 20s);
    }
    EXPECT_TRUE(waits(longest, WaitReason::sleep)) << "the largest duration did not overflow";
  });
}

TEST_P(Sleep, ManySleepers) {
  run([] {
    int n = scaled(20'000);
    std::mt19937 random(12345);
    std::uniform_int_distribution<int> micros(0, 100'000);
    std::atomic<int> early{0}, awake{0};
    WaitGroup wg;
    for (int i = 0; i < n; i++) {
      auto d = std::chrono::microseconds(micros(random));
      wg.go([&, d] {
        auto until = steady_clock::now() + d;
        sleep_for(d);
        if (steady_clock::now() < until) early++;
        awake++;
      });
    }
    wg.wait();
    EXPECT_EQ(awake.load(), n);
    EXPECT_EQ(early.load(), 0);
  });
}

TEST_P(Sleep, IsTheWaitReason) {
  run([] {
    uint64_t id = go_with_id([] { sleep_for(24h); });
    EXPECT_TRUE(waits(id, WaitReason::sleep));
  });
}

}  // namespace
}  // namespace weir::testing
