// The CPU profile: who uses the processor, with whole stacks and labels, goroutines and threads.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <weir/profiler/cpu_profile.h>
#include <weir/weir.h>

#include "profile_test_util.h"
#include "test_util.h"

namespace hot {

// Processor time of the calling thread.
inline std::chrono::nanoseconds thread_time() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}
[[gnu::noinline]] void burn(std::chrono::nanoseconds d) {
  static std::atomic<unsigned> sink{0};
  for (const auto end = thread_time() + d; thread_time() < end;) {
    for (unsigned i = 0; i < 2000; i++) sink.store(sink.load(std::memory_order_relaxed) * 31 + i);
  }
}
[[gnu::noinline]] void thrice(std::chrono::nanoseconds d) {
  burn(3 * d);
  weir::detail::keep_frame();
}
[[gnu::noinline]] void once(std::chrono::nanoseconds d) {
  burn(d);
  weir::detail::keep_frame();
}
[[gnu::noinline]] void in_thread(std::chrono::nanoseconds d) {
  burn(d);
  weir::detail::keep_frame();
}
[[gnu::noinline]] void deep(int n, std::chrono::nanoseconds d) {
  if (n == 0) {
    burn(d);
  } else {
    deep(n - 1, d);
  }
  weir::detail::keep_frame();
}

}  // namespace hot

namespace weir::profiler {
namespace {

using std::chrono::milliseconds;
using namespace weir::profiler::testing;

constexpr size_t kSamples = 0, kCpu = 1;

int64_t ns(std::chrono::nanoseconds d) { return d.count(); }

// Profiles f on a plain thread of its own (stop() is not for goroutines).
Profile profile_of(const std::function<void()>& f, int hz = 100) {
  CpuProfiler cpu(hz);
  f();
  return cpu.stop();
}

TEST(CpuProfile, SharesOfGoroutinesWithTheirLabels) {
  const Profile p = profile_of([] {
    run([] {
      with_labels({{"job", "spin"}}, [] {
        // Turns of 4 to 16 ms: in step with the sampling they would always be seen at one place.
        for (int i = 0; i < 70; i++) {
          const std::chrono::microseconds d(1000 + i * 997 % 3000);
          hot::thrice(d);
          hot::once(d);
          gosched();
        }
      });
    });
  });
  EXPECT_EQ(p.period, 10'000'000);
  EXPECT_GE(p.duration_ns, ns(milliseconds(800)));
  const auto three = static_cast<double>(sum(p, kCpu, "hot::thrice"));
  const auto one = static_cast<double>(sum(p, kCpu, "hot::once"));
  // About 800 ms, 80 samples: the share of 0.75 has a standard deviation of below 0.05.
  EXPECT_GT(three + one, 600e6);
  EXPECT_LT(three + one, 1000e6);
  EXPECT_GT(three / (three + one), 0.55);
  EXPECT_LT(three / (three + one), 0.95);
  for (const Profile::Sample& sample : p.samples) {
    EXPECT_EQ(sample.values[kCpu], sample.values[kSamples] * p.period);
    if (!calls(p, sample, "hot::burn")) continue;
    EXPECT_EQ(sample.labels, (std::vector<std::pair<std::string, std::string>>{{"job", "spin"}}));
    EXPECT_FALSE(p.symbols.stacks[sample.stack].truncated)
        << ::testing::PrintToString(functions(p, sample));
  }

  const std::string top = pprof("-top", p);
  EXPECT_NE(top.find("Type: cpu"), top.npos) << top;
  EXPECT_NE(top.find("hot::thrice"), top.npos) << top;
  const std::string tags = pprof("-tags", p);
  EXPECT_NE(tags.find("job: Total"), tags.npos) << tags;
  const std::string raw = pprof("-raw", p);
  EXPECT_NE(raw.find("samples/count cpu/nanoseconds"), raw.npos) << raw;
  EXPECT_NE(raw.find("Period: 10000000"), raw.npos) << raw;
}

TEST(CpuProfile, ThreadsThatKnowNothingOfWeir) {
  const Profile p = profile_of([] {
    std::thread old([] { hot::in_thread(milliseconds(300)); });
    old.join();
  });
  const int64_t seen = sum(p, kCpu, "hot::in_thread");
  EXPECT_GT(seen, ns(milliseconds(60)));
  EXPECT_LT(seen, ns(milliseconds(450)));
}

// Who computes for long keeps his thread and loses his P, for which sysmon starts another thread.
TEST(CpuProfile, GoroutinesOnThreadsThatSysmonStarted) {
  constexpr int kSpinners = 4;
  const Profile p = profile_of([] {
    run(
        [] {
          WaitGroup all;
          for (int i = 0; i < kSpinners; i++) {
            all.go([i] {
              with_labels({{"spinner", std::to_string(i)}}, [] { hot::burn(milliseconds(200)); });
            });
          }
          all.wait();
        },
        {.maxprocs = 1});
  });
  for (int i = 0; i < kSpinners; i++) {
    int64_t seen = 0;
    for (const Profile::Sample& sample : p.samples) {
      for (const auto& [key, value] : sample.labels) {
        if (value == std::to_string(i)) seen += sample.values[kCpu];
      }
    }
    // On a busy machine a new thread gets its timer late.
    EXPECT_GE(seen, ns(milliseconds(20))) << "spinner " << i;
  }
}

// Each goroutine has a thread of its own, which ends with it before anybody has looked for new
// ones.
TEST(CpuProfile, ThreadsOfTheRuntimeAreSeenFromTheirStart) {
  constexpr int kThreads = 30;
  static constexpr milliseconds kEach{12};
  const auto body = [] {
    run([] {
      for (int i = 0; i < kThreads; i++) {
        WaitGroup done;
        done.go([] {
          lock_os_thread();  // and never unlocks it
          hot::burn(kEach);
        });
        done.wait();
      }
    });
  };
  // The kernel looks at its clock every few milliseconds, and not when a thread ends; where others
  // want the processor, too, it sees less.
  int64_t seen = 0;
  for (int attempt = 0; attempt < 20 && seen <= ns(kEach * kThreads) * 2 / 5; attempt++) {
    const Profile p = profile_of(body, 1000);
    seen = sum(p, kCpu, "hot::burn");
    EXPECT_LT(seen, ns(kEach * kThreads) * 3 / 2);
  }
  EXPECT_GT(seen, ns(kEach * kThreads) * 2 / 5);
}

TEST(CpuProfile, DeepStacksAreWholeFromTheirFirstSample) {
  const Profile p = profile_of([] {
    run([] {
      go({.stack_size = 1 << 20}, [] {});
      hot::deep(100, milliseconds(200));
    });
  });
  int64_t samples = 0;
  for (const Profile::Sample& sample : p.samples) {
    if (!calls(p, sample, "hot::burn")) continue;
    samples += sample.values[kSamples];
    const Stack& stack = p.symbols.stacks[sample.stack];
    EXPECT_FALSE(stack.truncated);
    EXPECT_GT(stack.locations.size(), 100U);
  }
  EXPECT_GT(samples, 5);
}

TEST(CpuProfile, OneAtATime) {
  std::optional<CpuProfiler> first(std::in_place);
  try {
    CpuProfiler second;
    FAIL() << "two at once";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "cpu profiling already in use");
  }
  first.reset();  // without stop()
  EXPECT_NO_THROW(CpuProfiler());
}

TEST(CpuProfile, RatesAreBounded) {
  EXPECT_THROW(CpuProfiler(0), std::invalid_argument);
  EXPECT_THROW(CpuProfiler(1001), std::invalid_argument);
  EXPECT_NO_THROW(CpuProfiler(1000)) << "a refusal claims nothing";
}

TEST(CpuProfile, AnothersHandlerIsLeftAlone) {
  struct sigaction theirs = {}, former = {};
  theirs.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGPROF, &theirs, &former), 0);
  EXPECT_THROW(CpuProfiler(), std::runtime_error);
  struct sigaction now = {};
  ASSERT_EQ(sigaction(SIGPROF, &former, &now), 0);
  EXPECT_EQ(now.sa_handler, theirs.sa_handler);
  EXPECT_NO_THROW(CpuProfiler());
}

TEST(CpuProfile, ASignalFromElsewhereIsNoSample) {
  const Profile p = profile_of([] {
    for (int i = 0; i < 50; i++) pthread_kill(pthread_self(), SIGPROF);
  });
  EXPECT_LT(sum(p, kSamples), 25);
}

}  // namespace
}  // namespace weir::profiler
