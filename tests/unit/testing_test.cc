// <weir/testing.h>: whose goroutines a guard sees, what it waits for, what is ignored, whom it
// tells. (GoogleTest's listener and WEIR_LEAKCHECK: tests/integration/testing_test.py.)
//
// What may end is waited for with a patience that no machine needs; what stays is looked at with
// little of it.
#include <weir/testing.h>

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/weir.h>

#include "test_util.h"

namespace spotted {

[[gnu::noinline]] inline void wait_for(weir::chan<int> c) { c.recv(); }
[[gnu::noinline]] inline void start_waiter(const weir::chan<int>& c) {
  weir::go([c] { wait_for(c); });
}
[[gnu::noinline]] inline void spin_until(const std::shared_ptr<std::atomic<bool>>& stop) {
  while (!stop->load(std::memory_order_relaxed)) {
  }
}

}  // namespace spotted

namespace weir::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::HasSubstr;

LeakOptions patient() { return {.timeout = hours(1)}; }
LeakOptions hasty() { return {.timeout = milliseconds(1)}; }

uint64_t count(const Leaks& leaks) {
  uint64_t n = 0;
  for (const profiler::Finding& f : leaks.findings.findings) n += f.count;
  EXPECT_EQ(n, leaks.findings.goroutines);
  return n;
}

// Goroutines that wait to receive from a channel, until they are released, at the end at the
// latest. (They end in the next run then, if there is none.)
class Waiters {
 public:
  ~Waiters() { release(); }
  void add() { spotted::start_waiter(c_); }
  void release() {
    if (!std::exchange(released_, true)) c_.close();
  }
  const chan<int>& channel() const { return c_; }

 private:
  chan<int> c_ = make_chan<int>();
  bool released_ = false;
};

class LeakGuards : public WithProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, LeakGuards, ::testing::Values(1, 2, 4));

TEST_P(LeakGuards, NobodyIsLeft) {
  LeakGuard guard(patient());
  EXPECT_TRUE(guard.check().empty());
  run([] {
    WaitGroup all;
    for (int i = 0; i < 10; ++i) all.go([] { gosched(); });
    all.wait();
  });
  const Leaks leaks = guard.check();
  EXPECT_TRUE(leaks.empty());
  EXPECT_EQ(leaks.text(), "");
}

TEST_P(LeakGuards, OneThatIsAboutToEndWhenRunReturnsIsNoLeak) {
  auto ended = std::make_shared<std::atomic<int>>(0);
  LeakGuard guard(patient());
  run([&] {
    for (int i = 0; i < 10; ++i) {
      go([ended] {
        for (int k = 0; k < 100; ++k) gosched();
        ++*ended;
      });
    }
    go([ended] {
      sleep_for(milliseconds(20));
      ++*ended;
    });
  });
  EXPECT_TRUE(guard.check().empty());
  EXPECT_EQ(*ended, 11);
}

TEST_P(LeakGuards, OneIsLeft) {
  Waiters waiters;
  LeakGuard guard({.timeout = milliseconds(50), .name = "the\nscope"});
  run([&] { waiters.add(); });
  const Leaks leaks = guard.check();
  ASSERT_EQ(count(leaks), 1U);
  const profiler::Finding& f = leaks.findings.findings.front();
  EXPECT_EQ(f.kind, profiler::Kind::chan_receive);
  EXPECT_EQ(f.certainty, profiler::Certainty::likely);
  EXPECT_EQ(f.blocked_at.function, "spotted::wait_for");
  EXPECT_EQ(f.created_by.function, "spotted::start_waiter");
  EXPECT_GE(leaks.waited_ns, 50'000'000);
  EXPECT_EQ(leaks.findings.target, "the\nscope");
  const std::string text = leaks.text();
  EXPECT_THAT(text, ::testing::StartsWith("1 goroutine was left behind.\n"));
  EXPECT_THAT(text, HasSubstr("the\\nscope"));
  EXPECT_THAT(text, HasSubstr("spotted::wait_for"));
  EXPECT_THAT(text, HasSubstr("spotted::start_waiter"));
}

TEST_P(LeakGuards, WhatWasFoundMayEndLater) {
  Waiters waiters;
  LeakGuard guard(hasty());
  run([&] {
    waiters.add();
    EXPECT_EQ(count(guard.check()), 1U);
    waiters.release();
    EXPECT_TRUE(eventually([&] { return guard.check().empty(); }));
  });
}

TEST_P(LeakGuards, DescendantsOfParentsThatHaveExited) {
  Waiters waiters;
  LeakGuard guard(hasty());
  run([&] {
    WaitGroup middle;
    middle.go([&] {
      gosched();
      with_labels({{"k", "v"}, {"weir.test", "other"}}, [&] { middle.go([&] { waiters.add(); }); });
      blocking([] {});
      waiters.add();
    });
    middle.wait();
    EXPECT_TRUE(eventually([&] { return count(guard.check()) == 2; }));
  });
}

TEST_P(LeakGuards, WhatATimerStarts) {
  Waiters waiters;
  LeakGuard guard(hasty());
  run([&] {
    WaitGroup started;
    started.add(1);
    const Timer t = after_func(milliseconds(1), [c = waiters.channel(), &started] {
      started.done();
      spotted::wait_for(c);
    });
    started.wait();
    EXPECT_EQ(count(guard.check()), 1U);
    waiters.release();
  });
}

TEST_P(LeakGuards, OneThatRuns) {
  auto stop = std::make_shared<std::atomic<bool>>(false);
  LeakGuard guard(hasty());
  run([&] {
    go([stop] { spotted::spin_until(stop); });
    // With one P, it runs when we wait.
    EXPECT_TRUE(eventually([&] { return !guard.check().empty(); }));
    *stop = true;
    EXPECT_TRUE(eventually([&] { return guard.check().empty(); }));
  });
}

TEST_P(LeakGuards, ParallelOnGoroutines) {
  Waiters waiters;
  run([&] {
    WaitGroup all;
    Waiters others;
    others.add();
    for (uint64_t n = 0; n < 8; ++n) {
      all.go([&, n] {
        LeakGuard guard(hasty());
        for (uint64_t i = 0; i < n; ++i) waiters.add();
        gosched();
        EXPECT_EQ(count(guard.check()), n);
      });
    }
    all.wait();
    waiters.release();
  });
}

TEST_P(LeakGuards, ParallelOnThreads) {
  Waiters waiters;
  run([&] {
    auto done = make_chan<int>();
    std::thread all([&] {
      std::vector<std::thread> threads;
      for (uint64_t n = 0; n < 4; ++n) {
        threads.emplace_back([&, n] {
          LeakGuard guard(hasty());
          for (uint64_t i = 0; i < n; ++i) waiters.add();
          EXPECT_EQ(count(guard.check()), n);
        });
      }
      for (std::thread& t : threads) t.join();
      done.close();
    });
    done.recv();
    all.join();
    waiters.release();
  });
}

TEST_P(LeakGuards, Nested) {
  Waiters waiters;
  LeakGuard outer(hasty());
  run([&] {
    waiters.add();
    {
      LeakGuard inner(hasty());
      waiters.add();
      waiters.add();
      EXPECT_EQ(count(inner.check()), 2U);
    }
    waiters.add();
    {
      LeakGuard inner(hasty());
      EXPECT_EQ(count(inner.check()), 0U);
      EXPECT_EQ(count(find_leaks(hasty())), 0U) << "the innermost counts";
    }
    EXPECT_EQ(count(find_leaks(hasty())), 4U);
  });
  EXPECT_EQ(count(outer.check()), 4U);
}

TEST_P(LeakGuards, WatchesNoLongerThanItsScope) {
  Waiters waiters;
  run([&] {
    EXPECT_EQ(weir::detail::mark(), 0U);
    {
      LeakGuard guard(patient());
      EXPECT_NE(weir::detail::mark(), 0U);
    }
    EXPECT_EQ(weir::detail::mark(), 0U);
    waiters.add();
    LeakGuard guard(patient());
    EXPECT_TRUE(guard.check().empty()) << "it is from before";
    waiters.release();
  });
}

TEST_P(LeakGuards, IgnoredByName) {
  Waiters waiters;
  LeakGuard guard(hasty());
  run([&] {
    waiters.add();
    const auto look = [](LeakOptions options) {
      options.timeout = milliseconds(1);
      return count(find_leaks(options));
    };
    EXPECT_EQ(look({}), 1U);
    EXPECT_TRUE(eventually([&] {
      return look({.ignore_top_function = {"other", "spotted::wait_for"}}) == 0;
    }));
    EXPECT_EQ(look({.ignore_top_function = {"spotted::wait"}}), 1U) << "whole names only";
    EXPECT_EQ(look({.ignore_top_function = {"spotted::start_waiter::lambda"}}), 1U);
    EXPECT_EQ(look({.ignore_any_function = {"spotted::start_waiter::lambda"}}), 0U);
    EXPECT_EQ(look({.ignore_any_function = {"spotted::start_waiter"}}), 1U);
    EXPECT_EQ(look({.ignore_created_by = {"spotted::start_waiter"}}), 0U);
    EXPECT_EQ(look({.ignore_created_by = {"spotted::wait_for"}}), 1U);
    const std::vector<uint64_t> current = current_goroutines();
    EXPECT_THAT(current, Contains(goid()));
    EXPECT_EQ(look({.ignore_current = current}), 0U);
    waiters.add();
    EXPECT_EQ(look({.ignore_current = current}), 1U);
    EXPECT_EQ(look({.ignore_created_by = {"spotted::start_waiter"}}), 0U);
    waiters.release();
  });
}

TEST_P(LeakGuards, OutsideOfAnyGuardAllCount) {
  Waiters waiters;
  const std::vector<uint64_t> before = current_goroutines();
  run([&] {
    WaitGroup all;
    waiters.add();
    all.go([&] {
      // Main waits for us, and is none.
      EXPECT_EQ(count(find_leaks({.ignore_current = before, .timeout = milliseconds(1)})), 1U);
    });
    all.wait();
  });
  EXPECT_EQ(count(find_leaks({.ignore_current = before, .timeout = milliseconds(1)})), 1U);
  waiters.release();
  EXPECT_EQ(count(find_leaks({.ignore_current = before, .timeout = hours(1)})), 0U);
}

std::atomic<int> told{0};

TEST_P(LeakGuards, TellsTheHandlerUnlessItWasAsked) {
  told = 0;
  const LeakHandler former = set_leak_handler([](const Leaks& leaks) {
    EXPECT_EQ(count(leaks), 1U);
    ++told;
  });
  Waiters waiters;
  {
    const LeakGuard guard(hasty());
    run([&] { waiters.add(); });
  }
  EXPECT_EQ(told, 1);
  {
    LeakGuard guard(hasty());
    run([&] { waiters.add(); });
    EXPECT_EQ(count(guard.check()), 1U);
  }
  EXPECT_EQ(told, 1);
  { const LeakGuard guard(patient()); }
  EXPECT_EQ(told, 1);
  EXPECT_NE(set_leak_handler(former), former);
}

TEST(ExpectNoGoroutineLeaks, FailsTheTest) {
  Waiters waiters;
  const LeakGuard guard(patient());
  weir::run([&] {
    EXPECT_NO_GOROUTINE_LEAKS();
    waiters.add();
    EXPECT_NONFATAL_FAILURE_ON_ALL_THREADS(
        EXPECT_NO_GOROUTINE_LEAKS(.timeout = milliseconds(1), .name = "n") << "more",
        "1 goroutine was left behind.");
    if (waiters.channel())
      EXPECT_NO_GOROUTINE_LEAKS(.ignore_top_function = {"a", "spotted::wait_for"},
                                .timeout = hours(1));
    else
      ADD_FAILURE();
    waiters.release();
  });
}

}  // namespace
}  // namespace weir::testing
