// Stacks' memory is given back all the time, by free stacks and by parked goroutines, while
// goroutines come, park, go deep and go, in several sizes, and others look at them.
//
// What a goroutine wrote to its stack must still be there; residents, which live throughout, must
// be met in every walk and in every capture exactly once.
//
//   WEIR_TEST_SEED=N, WEIR_STRESS_SECONDS=N (default 5)

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <map>
#include <thread>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/weir.h>

#include "../unit/reclaim_pace.h"
#include "../unit/test_util.h"
#include "stress_util.h"

namespace weir::testing {
namespace {

constexpr size_t kFrame = 512;  // bytes that each level of dive writes

// Goes `depth` levels down, each with bytes of its own on the stack, calls at_bottom there, and
// tells on the way up whether all is as it was written.
template <class F>
[[gnu::noinline]] bool dive(int depth, unsigned seed, F& at_bottom) {
  volatile unsigned char mine[kFrame];
  for (size_t i = 0; i < kFrame; i++) mine[i] = static_cast<unsigned char>(seed + i);
  bool intact = true;
  if (depth > 0) {
    intact = dive(depth - 1, seed * 31 + 7, at_bottom);
  } else {
    at_bottom();
  }
  for (size_t i = 0; i < kFrame; i++) {
    if (mine[i] != static_cast<unsigned char>(seed + i)) intact = false;
  }
  return intact;
}

struct Scene {
  uint64_t seed;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> dives{0}, born{0}, broken{0};
  WaitGroup workers{};
  std::vector<chan<int>> mailboxes{};
};

// Levels that fit on a stack of this size.
int levels(Random& random, size_t stack) {
  const auto most = static_cast<int>(stack / (kSanitized ? 4 : 2) / kFrame);
  return random.below(most);
}

void check(Scene& scene, bool intact) {
  scene.dives.fetch_add(1, std::memory_order_relaxed);
  if (!intact) scene.broken.fetch_add(1);
}

// One way to stop running, at the bottom of a dive or at its top.
void pause(Scene& scene, Random& random) {
  switch (random.below(4)) {
    case 0:
      gosched();
      break;
    case 1:
      sleep_for(std::chrono::microseconds(random.below(500)));
      break;
    case 2: {  // with whoever is there, but not for ever
      auto& box = scene.mailboxes[static_cast<size_t>(
          random.below(static_cast<int>(scene.mailboxes.size())))];
      if (random.one_in(2)) {
        select(on_send(box, 1, [] {}), on_recv(after(std::chrono::milliseconds(1)), [](auto) {}));
      } else {
        select(on_recv(box, [](auto) {}),
               on_recv(after(std::chrono::milliseconds(1)), [](auto) {}));
      }
      break;
    }
    default:
      break;
  }
}

void child(Scene& scene, uint64_t stream, size_t stack) {
  Random random(scene.seed, stream);
  auto rest = [&] { pause(scene, random); };
  check(scene, dive(levels(random, stack), static_cast<unsigned>(stream), rest));
  pause(scene, random);
  check(scene, dive(levels(random, stack), static_cast<unsigned>(stream), rest));
}

void worker(Scene& scene, uint64_t stream) {
  Random random(scene.seed, stream);
  constexpr size_t kSizes[] = {64 << 10, 64 << 10, 32 << 10, 128 << 10, 1 << 20};
  for (uint64_t round = 0; !scene.stop.load(std::memory_order_relaxed); round++) {
    WaitGroup children;
    const int n = 1 + random.below(scaled(200));  // now and then many at once, then none
    for (int i = 0; i < n; i++) {
      const size_t stack = kSizes[random.below(5)] * (kSanitized ? 4 : 1);
      const uint64_t id = (stream << 40) + (round << 16) + static_cast<uint64_t>(i);
      children.add(1);
      go({.stack_size = stack}, [&scene, &children, id, stack] {
        child(scene, id, stack);
        children.done();
      });
      scene.born.fetch_add(1, std::memory_order_relaxed);
    }
    children.wait();
    if (random.one_in(8)) sleep_for(std::chrono::milliseconds(random.below(20)));
  }
}

// Residents are parked throughout: shallow after a dive, or at the bottom of one.

void start_residents(Scene& scene, std::map<uint64_t, int>& met, chan<int> end, WaitGroup& left) {
  for (int i = 0; i < 20; i++) {
    left.add(1);
    uint64_t id = go_with_id([&scene, &left, end, i]() mutable {
      auto nothing = [] {};
      auto park = [&] { end.recv(); };
      check(scene, dive(40, static_cast<unsigned>(i), nothing));
      check(scene, dive(i % 2 ? 40 : 0, static_cast<unsigned>(i), park));
      left.done();
    });
    EXPECT_TRUE(waits(id, introspect::WaitReason::chan_receive));
    met[id] = 0;
  }
}

void expect_all_once(std::map<uint64_t, int>& met, const char* by) {
  for (auto& [id, times] : met) {
    EXPECT_EQ(times, 1) << "goroutine " << id << " by a " << by;
    times = 0;
  }
}

void walk(std::map<uint64_t, int>& met) {
  for_each_goroutine([&](const Look& look) {
    if (auto it = met.find(look.g.goid); it != met.end()) {
      it->second++;
      EXPECT_EQ(look.g.state, introspect::State::waiting);
      introspect::StackUse use{};
      EXPECT_TRUE(introspect::stack_use(look.slot, look.g.goid, use));
      EXPECT_GE(use.high_water, 4096u / 2);
    }
  });
  expect_all_once(met, "walk");
}

void capture_all(std::map<uint64_t, int>& met) {
  const profiler::Snapshot snapshot = profiler::capture();
  for (const profiler::Group& group : snapshot.groups) {
    for (const profiler::Member& member : group.members) {
      if (auto it = met.find(member.goid); it != met.end()) {
        it->second++;
        EXPECT_EQ(group.wait_reason, "chan receive");
        EXPECT_GE(snapshot.stacks[group.stack].locations.size(), 3u);
      }
    }
  }
  expect_all_once(met, "capture");
}

TEST(StackStress, DataStayAndNobodyIsLostWhileMemoryIsGivenBack) {
  const uint64_t seed = stress_seed();
  std::cout << "WEIR_TEST_SEED=" << seed << std::endl;
  FastReclaim fast;
  const introspect::StackMemory before = introspect::stack_memory();
  std::map<uint64_t, int> met;
  Scene scene{.seed = seed};
  uint64_t looks = 0;
  weir::run(
      [&] {
        auto end = make_chan<int>();
        WaitGroup left;
        start_residents(scene, met, end, left);
        for (int i = 0; i < 4; i++) scene.mailboxes.push_back(make_chan<int>());
        auto looked = make_chan<int>();
        std::thread looker([&, looked]() mutable {
          const auto until = std::chrono::steady_clock::now() + stress_duration();
          while (std::chrono::steady_clock::now() < until && !::testing::Test::HasFailure()) {
            walk(met);
            if (looks++ % 4 == 0) capture_all(met);
          }
          scene.stop = true;
          looked.close();
        });
        for (uint64_t i = 0; i < 6; i++) scene.workers.go([&scene, i] { worker(scene, i); });
        looked.recv();
        looker.join();
        scene.workers.wait();
        end.close();
        left.wait();
      },
      {.maxprocs = 4});
  EXPECT_EQ(scene.broken.load(), 0u);
  const introspect::StackMemory after = introspect::stack_memory();
  std::cout << scene.born << " goroutines, " << scene.dives << " dives, " << looks << " looks, "
            << after.released_stacks - before.released_stacks << " stacks released, "
            << after.trims - before.trims << " trims" << std::endl;
  EXPECT_GT(after.released_stacks, before.released_stacks);
  EXPECT_GT(after.trims, before.trims);
}

}  // namespace
}  // namespace weir::testing
