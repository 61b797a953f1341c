// Capture of less than everything (groups alone, members without objects), and of more: processor
// time.
#include <weir/profiler/capture.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include <weir/weir.h>

#include "capture_test_util.h"

namespace weir::profiler {
namespace {

using weir::testing::eventually;
using weir::testing::go_with_id;
using weir::testing::waits;

WEIR_FOR_ALL_PROCS(CaptureDetail);

// Goroutines of a snapshot of groups that wait in spotted::receive.
uint64_t count_in_receive(const Snapshot& s) {
  uint64_t count = 0;
  for (const Group& g : s.groups) {
    if (g.wait_reason != "chan receive" || g.object_kind != "chan") continue;
    bool there = false;
    for (const uint32_t l : s.stacks[g.stack].locations) {
      for (const uint32_t f : s.locations[l].frames) {
        there |= s.frames[f].function.starts_with("spotted::receive");
      }
    }
    if (there) count += g.count;
  }
  return count;
}

// Counts and times without members, from more goroutines than one thread looks at.
TEST_P(CaptureDetail, OfGroupsAlone) {
  run([] {
    const auto n = static_cast<uint64_t>(weir::testing::scaled(70'000));
    const uint64_t before = count_in_receive(capture({.detail = Detail::groups}));
    auto ch = make_chan<int>();
    WaitGroup wg;
    for (uint64_t i = 0; i < n; i++) wg.go([=] { spotted::receive(ch); });
    Snapshot s;
    ASSERT_TRUE(eventually([&] {
      s = capture({.detail = Detail::groups});
      return count_in_receive(s) == before + n;
    })) << count_in_receive(s);
    EXPECT_TRUE(s.objects.empty());
    EXPECT_TRUE(s.contexts.empty());
    uint64_t sum = 0;
    for (const Group& g : s.groups) {
      EXPECT_TRUE(g.members.empty());
      EXPECT_GE(g.oldest_ns, 0);
      EXPECT_GE(g.wait_ns, g.oldest_ns);
      if (!g.thread) sum += g.count;
    }
    EXPECT_EQ(sum, s.total);
    EXPECT_GE(s.total, n + 1);
    ch.close();
    wg.wait();
  });
}

TEST_P(CaptureDetail, OfMembersWithoutObjects) {
  run([] {
    auto ch = make_chan<int>();
    go(GoOptions{.name = "waiter"}, [=] { spotted::receive(ch); });
    ASSERT_TRUE(eventually([&] {
      const Snapshot s = capture({.detail = Detail::members});
      EXPECT_TRUE(s.objects.empty());
      for (const Group& g : s.groups) {
        for (const Member& m : g.members) {
          if (s.strings[m.name] != "waiter" || g.wait_reason != "chan receive") continue;
          EXPECT_EQ(g.object_kind, "chan");
          EXPECT_EQ(m.object_count, 0U);
          EXPECT_GT(m.stack_bytes, 100U);
          EXPECT_LT(m.stack_bytes, 64U << 10);
          EXPECT_GE(m.since_ns, 0);
          EXPECT_EQ(g.wait_ns, m.since_ns);
          return true;
        }
      }
      return false;
    }));
    ch.close();
  });
}

TEST(CaptureCpu, CountsTheTimeThatGoroutinesRunWhereAsked) {
  using std::chrono::milliseconds;
  using std::chrono::steady_clock;
  struct Times {
    int64_t worker = 0, idler = 0, caller = 0, caller_lives = 0;  // ns
  };
  const auto measure = [](bool counted) {
    Times times;
    const auto main = [&] {
      auto stop = make_chan<int>(), called = make_chan<int>();
      std::atomic<bool> end{false};
      const auto compute = [] {
        for (const auto until = steady_clock::now() + milliseconds(30);
             steady_clock::now() < until;) {
        }
      };
      const auto start = steady_clock::now();
      WaitGroup wg;
      wg.add(3);
      const uint64_t worker = go_with_id([&] {
        for (int i = 0; i < 3; i++) {
          compute();
          gosched();
        }
        spotted::receive(stop);
        wg.done();
      });
      const uint64_t idler = go_with_id([&] {
        spotted::receive(stop);
        wg.done();
      });
      const uint64_t caller = go_with_id([&] {
        compute();
        blocking([] { std::this_thread::sleep_for(milliseconds(50)); });
        called.send(1);
        while (!end) {
        }
        wg.done();
      });
      called.recv();
      ASSERT_TRUE(eventually([&] {
        return waits(worker, introspect::WaitReason::chan_receive) &&
               waits(idler, introspect::WaitReason::chan_receive);
      }));
      const Snapshot s = capture({.detail = Detail::members});
      times = {find(s, worker).member->cpu_ns, find(s, idler).member->cpu_ns,
               find(s, caller).member->cpu_ns,
               std::chrono::nanoseconds(steady_clock::now() - start).count()};
      end = true;
      stop.close();
      wg.wait();
    };
    weir::run(main, Options{.maxprocs = 2, .cpu_accounting = counted});
    return times;
  };
  const Times on = measure(true);
  EXPECT_GE(on.worker, 90'000'000);
  EXPECT_GE(on.idler, 0);
  EXPECT_LT(on.idler, on.worker);
  EXPECT_GE(on.caller, 30'000'000);
  EXPECT_LE(on.caller, on.caller_lives - 50'000'000);  // not the blocking call
  const Times off = measure(false);
  EXPECT_EQ(off.worker, -1);
  EXPECT_EQ(off.idler, -1);
  EXPECT_EQ(off.caller, -1);
}

}  // namespace
}  // namespace weir::profiler
