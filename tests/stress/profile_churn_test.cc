// All profiles are on while goroutines are created, block, wake each other and die on all
// processors, and while somebody reads the profiles again and again: the program must compute what
// it computes undisturbed, and what the profiles say must be possible.
//
//   WEIR_STRESS_SECONDS=N (default 5)

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <thread>

#include <weir/profiler/capture.h>
#include <weir/profiler/cpu_profile.h>
#include <weir/profiler/profile.h>
#include <weir/weir.h>

#include "../unit/test_util.h"
#include "stress_util.h"

namespace weir::testing {
namespace {

using Clock = std::chrono::steady_clock;

struct Churn {
  Mutex mu;
  RWMutex rw;
  int64_t guarded = 0;  // by mu
  int64_t written = 0;  // under rw
  std::atomic<bool> stop{false};
};

// One round of many short lives: 16 goroutines that contend for locks and talk over a channel.
[[gnu::noinline]] int64_t churn_round(Churn& c) {
  constexpr int kGoroutines = 16, kEach = 20;
  auto values = make_chan<int>();
  WaitGroup all;
  for (int i = 0; i < kGoroutines; i++) {
    all.add(1);
    go([&c, &all, values, i]() mutable {
      with_labels({{"worker", i % 2 == 0 ? "even" : "odd"}}, [&] {
        for (int k = 0; k < kEach; k++) {
          {
            std::scoped_lock hold(c.mu);
            c.guarded++;
            if (k % 8 == 0) gosched();
          }
          if (k % 4 == 0) {
            std::scoped_lock hold(c.rw);
            c.written++;
          }
          values.send(1);
        }
      });
      all.done();
    });
  }
  int64_t sum = 0;
  for (int i = 0; i < kGoroutines * kEach; i++) sum += *values.recv();
  all.wait();
  return sum - kGoroutines * kEach;
}

void expect_sound(const profiler::Profile& p) {
  for (const profiler::Profile::Sample& sample : p.samples) {
    ASSERT_EQ(sample.values.size(), p.sample_types.size());
    for (const int64_t value : sample.values) EXPECT_GE(value, 0);
    if (sample.stack != profiler::kNone) {
      ASSERT_LT(sample.stack, p.symbols.stacks.size());
    }
  }
  EXPECT_TRUE(profiler::write_pprof(p, [](std::string_view) { return true; }));
}

TEST(ProfileChurn, AllProfilesOn) {
  set_block_profile_rate(1);
  set_mutex_profile_fraction(1);
  set_creation_stacks(true);
  Churn c;
  std::atomic<int> profiles{0};
  std::thread reader([&] {
    while (!c.stop) {
      profiler::CpuProfiler cpu(1000);
      for (int i = 0; i < 3; i++) {
        expect_sound(profiler::block_profile());
        expect_sound(profiler::mutex_profile());
        expect_sound(profiler::creation_profile(profiler::capture()));
      }
      expect_sound(cpu.stop());
      profiles++;
    }
  });
  // A thread that knows nothing of weir, and threads that come and go.
  std::thread foreign([&] {
    std::atomic<unsigned> sink{0};
    while (!c.stop) {
      std::thread([&] {
        for (int i = 0; i < 200'000; i++) sink.fetch_add(1, std::memory_order_relaxed);
      }).join();
    }
  });
  int64_t rounds = 0;
  run(
      [&] {
        const auto end = Clock::now() + stress_duration();
        while (Clock::now() < end || profiles == 0) {
          EXPECT_EQ(churn_round(c), 0);
          rounds++;
        }
      },
      {.maxprocs = 4});
  c.stop = true;
  reader.join();
  foreign.join();
  EXPECT_EQ(c.guarded, rounds * 16 * 20);
  EXPECT_EQ(c.written, rounds * 16 * 5);
  set_block_profile_rate(0);
  set_mutex_profile_fraction(0);
  set_creation_stacks(false);
  EXPECT_FALSE(profiler::block_profile().samples.empty());
  EXPECT_FALSE(profiler::mutex_profile().samples.empty());
  std::printf("%ld rounds, %d CPU profiles\n", static_cast<long>(rounds), profiles.load());
}

}  // namespace
}  // namespace weir::testing
