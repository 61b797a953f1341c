// What can be seen of the scheduler: its counters, the trace, and that perturbation perturbs.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;

uint64_t measured(const introspect::Sched& s) {
  return std::accumulate(std::begin(s.latency), std::end(s.latency), uint64_t{0});
}

WEIR_FOR_ALL_PROCS(SchedStats);

TEST_P(SchedStats, CountWhatHappens) {
  run([] {
    introspect::Sched before = introspect::sched();
    constexpr int kRounds = 1000;
    auto ping = make_chan<int>(), pong = make_chan<int>();
    go([=] {
      for (int v : ping) pong.send(v);
      pong.close();
    });
    for (int i = 0; i < kRounds; i++) {
      ping.send(i);
      pong.recv();
    }
    ping.close();
    pong.recv();
    introspect::Sched after = introspect::sched();
    EXPECT_EQ(after.created - before.created, 1u);
    EXPECT_GE(after.parks - before.parks, uint64_t{kRounds} / 2);
    EXPECT_GE(after.switches - before.switches, uint64_t{kRounds} / 2);
    EXPECT_GT(measured(after), measured(before));
  });
}

TEST(SchedStats, LongWaitsInTheQueueAreInTheHistogram) {
  weir::run(
      [] {
        introspect::Sched before = introspect::sched();
        WaitGroup wg;
        for (int i = 0; i < 64; i++) wg.go([] {});
        auto until = std::chrono::steady_clock::now() + 5ms;
        while (std::chrono::steady_clock::now() < until) {
        }
        wg.wait();
        introspect::Sched after = introspect::sched();
        uint64_t late = 0;
        for (size_t i = 0; i < introspect::kLatencyBuckets; i++) {
          if (i > 0 && introspect::latency_bound_ns(i - 1) >= 2'000'000) {
            late += after.latency[i] - before.latency[i];
          }
        }
        EXPECT_GE(late, 4u);  // every 8th is measured
        EXPECT_GE(after.latency_ns - before.latency_ns, late * 2'000'000);
      },
      {.maxprocs = 1});
}

TEST(SchedStats, TellOfEachProcessor) {
  weir::run(
      [] {
        introspect::Proc p;
        EXPECT_FALSE(introspect::proc(-1, p));
        EXPECT_FALSE(introspect::proc(1, p));
        ASSERT_TRUE(introspect::proc(0, p));
        EXPECT_FALSE(p.idle);
        EXPECT_EQ(p.queue, 0u);
        WaitGroup wg;
        for (int i = 0; i < 5; i++) wg.go([] {});
        ASSERT_TRUE(introspect::proc(0, p));
        EXPECT_EQ(p.queue, introspect::sched().local_queues);
        EXPECT_EQ(p.queue, 5u);
        wg.wait();
      },
      {.maxprocs = 1});
}

TEST(SchedStats, SurviveAResize) {
  weir::run(
      [] {
        WaitGroup wg;
        for (int i = 0; i < 100; i++) wg.go([] { gosched(); });
        wg.wait();
        introspect::Sched before = introspect::sched();
        gomaxprocs(1);
        introspect::Sched after = introspect::sched();
        EXPECT_GE(after.created, before.created);
        EXPECT_GE(after.switches, before.switches);
        EXPECT_GE(measured(after), measured(before));
      },
      {.maxprocs = 4});
}

TEST(SchedStats, RetakesAreCounted) {
  weir::run(
      [] {
        uint64_t before = introspect::sched().retakes;
        std::atomic<bool> others{false};
        go([&] { others = true; });
        while (!others) asm volatile("");
        EXPECT_GT(introspect::sched().retakes, before);
      },
      {.maxprocs = 1});
}

// The order in which goroutines run that were all ready at once.
std::vector<int> order(uint64_t perturb_seed) {
  std::vector<int> seen;
  std::mutex mu;  // who is late, on a loaded machine, loses its P and goes on beside the next
  const auto see = [&](int i) {
    const std::scoped_lock hold(mu);
    seen.push_back(i);
  };
  weir::run(
      [&] {
        WaitGroup wg;
        for (int i = 0; i < 50; i++) {
          wg.go([&see, i] {
            see(i);
            gosched();
            see(i);
          });
        }
        wg.wait();
      },
      {.maxprocs = 1, .perturb_seed = perturb_seed});
  return seen;
}

TEST(Perturbation, ChangesTheOrderByTheSeed) {
  std::vector<int> plain = order(0), again = order(0);
  for (int tries = 0; tries < 100 && plain != again; tries++) {
    plain = std::exchange(again, order(0));
  }
  EXPECT_EQ(plain, again);
  EXPECT_NE(plain, order(1));
  EXPECT_NE(order(1), order(2));
}

// Runs in a process of its own, whose stderr is looked at.
TEST(SchedTraceDeathTest, PrintsALinePerPeriod) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        // Until there are two of them, however long that takes on a busy machine.
        int both[2];
        const int out = dup(STDERR_FILENO);
        if (pipe(both) != 0 || dup2(both[1], STDERR_FILENO) < 0) _exit(1);
        setenv("WEIR_SCHEDTRACE", "10", 1);
        weir::run(
            [&] {
              std::string text;
              char piece[4096];
              while (std::count(text.begin(), text.end(), '\n') < 2) {
                text.append(piece, static_cast<size_t>(read(both[0], piece, sizeof piece)));
              }
              _exit(write(out, text.data(), text.size()) > 0 ? 0 : 1);
            },
            {.maxprocs = 2});
      },
      ::testing::ExitedWithCode(0),
      "SCHED [0-9]+ms: gomaxprocs=2 idleprocs=[0-2] threads=[0-9]+ spinningthreads=[0-9]+ "
      "needspinning=[01] idlethreads=[0-9]+ runqueue=[0-9]+ \\[ [0-9]+ [0-9]+ \\] "
      "schedticks=\\[ [0-9]+ [0-9]+ \\].*\n(.*\n)*SCHED ");
}

TEST(SchedTrace, AMalformedPeriodIsRefused) {
  setenv("WEIR_SCHEDTRACE", "often", 1);
  EXPECT_THROW(weir::run([] {}), std::invalid_argument);
  unsetenv("WEIR_SCHEDTRACE");
}

}  // namespace
}  // namespace weir::testing
