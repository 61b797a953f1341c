// Everything at once on all processors: a crowd of drivers, each of which plays one random scene
// (scenes.h) after another until the time is up; and the soak, which does so after a warm-up and
// then looks whether goroutines, descriptors, threads and memory are where they were.
//
//   WEIR_TEST_SEED=N        the same choices of each driver again (the interleaving is the
//   machine's) WEIR_STRESS_SECONDS=N   how long, default 5

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include <weir/profiler/capture.h>
#include <weir/weir.h>

#include "../unit/test_util.h"
#include "scenes.h"
#include "stress_util.h"

namespace weir::testing {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr int kMaxProcs = 6;

// Plays scenes for so long. Returns how many.
int64_t play_for(std::chrono::duration<double> time, uint64_t seed) {
  auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(time);
  auto over = [end] { return Clock::now() >= end || ::testing::Test::HasFailure(); };
  std::atomic<int64_t> scenes{0};
  int drivers = kTsan ? 6 : 16;
  WaitGroup wg;
  for (int d = 0; d < drivers; d++) {
    wg.go([&, random = Random(seed, static_cast<uint64_t>(d) + 1)]() mutable {
      while (!over()) {
        if (random.one_in(4)) {
          play_services(random);
        } else if (random.one_in(3)) {
          play_sync(random);
        } else {
          play_core(random);
        }
        scenes++;
      }
    });
  }
  wg.go([&, random = Random(seed, 1000)]() mutable {  // the number of processors changes
    while (!over()) {
      gomaxprocs(random.below(kMaxProcs) + 1);
      sleep_for(milliseconds(random.below(20)));
    }
  });
  wg.go([&] {  // is looked at
    while (!over()) {
      EXPECT_GT(profiler::capture().total, 0u);
      sleep_for(milliseconds(100));
    }
  });
  wg.go([&] {  // runs too long, again and again, and loses its P
    while (!over()) {
      auto until = Clock::now() + milliseconds(15);
      while (Clock::now() < until) {
      }
      sleep_for(milliseconds(20));
    }
  });
  wg.wait();
  return scenes.load();
}

uint64_t printed_seed() {
  uint64_t seed = stress_seed();
  std::cout << "WEIR_TEST_SEED=" << seed << std::endl;
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  return seed;
}

void stress(uint64_t seed, uint64_t perturb_seed) {
  weir::run(
      [&] {
        ASSERT_TRUE(settle());
        size_t before = num_goroutine();
        uint64_t created = introspect::sched().created;
        int64_t scenes = play_for(stress_duration(), seed);
        EXPECT_TRUE(eventually([&] { return num_goroutine() == before; }));
        EXPECT_EQ(Tracked::live(), 0);
        EXPECT_GT(scenes, 0);
        std::cout << scenes << " scenes, " << introspect::sched().created - created << " goroutines"
                  << std::endl;
      },
      Options{.maxprocs = 4, .perturb_seed = perturb_seed});
}

TEST(Stress, Everything) { stress(printed_seed(), 0); }

// The scheduler makes unusual choices, too.
TEST(Stress, EverythingPerturbed) {
  uint64_t seed = printed_seed();
  stress(seed, seed);
}

// What a process has, that a leak would add to.
struct Usage {
  size_t goroutines;
  size_t fds;
  size_t threads;
  size_t rss;  // bytes
};

size_t entries(const char* folder) {
  std::filesystem::directory_iterator at(folder), end;
  return static_cast<size_t>(std::distance(at, end));
}

// Descriptors but for those of files, which the symbolizer opens as it meets them, once each.
size_t open_fds() {
  size_t n = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    std::filesystem::path target = std::filesystem::read_symlink(entry.path(), gone);
    if (!gone && !target.is_absolute()) n++;
  }
  return n;
}

Usage usage() {
  size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return {num_goroutine(), open_fds(), entries("/proc/self/task"), resident * 4096};
}

// Polls until nothing is above `before`, but for memory, of which malloc keeps what it likes, and
// threads, of which one for each P that there ever was may wait for more work.
bool back_to(const Usage& before, Usage& now) {
  constexpr size_t kSlack = size_t{kSanitized ? 256 : 24} << 20;
  return eventually(
      [&] {
        now = usage();
        return now.goroutines <= before.goroutines && now.fds <= before.fds &&
               now.threads <= before.threads + kMaxProcs && now.rss <= before.rss + kSlack;
      },
      std::chrono::seconds(60));
}

TEST(Soak, EndsWhereItBegan) {
  uint64_t seed = printed_seed();
  weir::run(
      [&] {
        // What is made once is there, and what a busy time leaves behind is gone again.
        play_for(stress_duration() / 5, seed + 1);
        gomaxprocs(4);
        EXPECT_TRUE(settle());
        EXPECT_TRUE(eventually([] { return introspect::sched().ms <= kMaxProcs + 3; }));
        Usage before = usage(), now{};
        int64_t scenes = play_for(stress_duration(), seed);
        gomaxprocs(4);
        EXPECT_TRUE(back_to(before, now));
        std::cout << scenes << " scenes; before/after: goroutines " << before.goroutines << "/"
                  << now.goroutines << ", fds " << before.fds << "/" << now.fds << ", threads "
                  << before.threads << "/" << now.threads << ", RSS " << before.rss / 1024 << "/"
                  << now.rss / 1024 << " KiB" << std::endl;
        EXPECT_EQ(Tracked::live(), 0);
      },
      Options{.maxprocs = 4});
}

}  // namespace
}  // namespace weir::testing
