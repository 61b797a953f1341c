// Stacks: their sizes, their memory given back by free ones and by long-parked goroutines, how deep
// goroutines have been.

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "reclaim_pace.h"
#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::StackMemory;
using introspect::StackUse;

constexpr size_t kKiB = 1024, kPage = 4 * kKiB;

// The bytes of this program that are in memory.
size_t resident_set() {
  unsigned long all = 0, resident = 0;
  if (FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%lu %lu", &all, &resident) != 2) resident = 0;
    std::fclose(f);
  }
  return resident * kPage;
}

uintptr_t here() { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

// Uses the stack down to `until`. False: what it wrote there did not stay.
[[gnu::noinline]] bool use_down_to(uintptr_t until, size_t seed = 1) {
  volatile unsigned char frame[512];
  for (size_t i = 0; i < sizeof frame; i++) frame[i] = static_cast<unsigned char>(seed + i);
  bool intact = here() <= until || use_down_to(until, seed + 1);
  for (size_t i = 0; i < sizeof frame; i++) {
    if (frame[i] != static_cast<unsigned char>(seed + i)) intact = false;
  }
  return intact;
}

// Uses so many bytes more than the caller does.
bool use_bytes(size_t bytes) { return use_down_to(here() - bytes); }

// The bounds of the caller's stack, a goroutine.
std::pair<uintptr_t, uintptr_t> own_stack() {
  auto look = look_at(goid());
  return {look->g.stack_lo, look->g.stack_hi};
}

StackUse use_of(uint64_t id) {
  StackUse use{};
  auto look = look_at(id);
  EXPECT_TRUE(look && introspect::stack_use(look->slot, id, use));
  return use;
}

// Goroutines that exist, by the counts of their slots.
size_t used_slots() {
  StackMemory s = introspect::stack_memory();
  return s.slots - s.warm - s.cold - s.local;
}

class Stack : public ::testing::Test {};

// --- sizes ---

TEST_F(Stack, EachSizeCanBeUsedToItsEnd) {
  weir::run([] {
    for (size_t size = 16 * kKiB; size <= (kSanitized ? 1024 : 65536) * kKiB; size *= 2) {
      auto done = make_chan<bool>();
      for (int times = 0; times < 2; times++) {  // the second time on a stack that was used
        go({.stack_size = size}, [&done, size] {
          auto [lo, hi] = own_stack();
          EXPECT_GT(hi - lo, size - 2 * kPage);
          EXPECT_LE(hi - lo, size);
          done.send(use_down_to(lo + 3 * kKiB));
        });
        EXPECT_TRUE(*done.recv()) << size;
      }
    }
  });
}

TEST_F(Stack, SizesBetweenAreRoundedUp) {
  weir::run([] {
    auto size = make_chan<size_t>();
    for (size_t wanted : {size_t{1}, 16 * kKiB + 1, 100 * kKiB}) {
      go({.stack_size = wanted}, [size] {
        auto [lo, hi] = own_stack();
        size.send(hi - lo);
      });
      size_t got = *size.recv();
      EXPECT_GT(got + 2 * kPage, wanted);
      EXPECT_LT(got, 2 * wanted + 16 * kKiB);
    }
  });
}

TEST_F(Stack, EachRunMayHaveItsOwnSize) {
  chan<int> wake = make_chan<int>();
  WaitGroup ended;
  for (size_t size : {128 * kKiB, 32 * kKiB, 1024 * kKiB, 128 * kKiB}) {
    weir::run(
        [&] {
          // Some stay parked over the end of this run and end in the next one, which has another
          // size.
          wake.close();
          ended.wait();
          wake = make_chan<int>();
          for (int i = 0; i < 100; i++) {
            ended.go([wake = wake, size]() mutable {
              auto [lo, hi] = own_stack();
              EXPECT_GT(hi - lo, size - 2 * kPage);
              EXPECT_LE(hi - lo, size);
              wake.recv();
            });
          }
          WaitGroup more;
          for (int i = 0; i < 1000; i++) {
            more.go([] { EXPECT_TRUE(use_bytes(8 * kKiB)); });
          }
          more.wait();
        },
        {.stack_size = size});
  }
  weir::run([&] {
    wake.close();
    ended.wait();
  });
}

// --- free stacks ---

TEST_F(Stack, MemoryOfABurstComesBack) {
  FastReclaim fast(INT64_MAX);
  weir::run([] {
    // What earlier tests left.
    ASSERT_TRUE(settle() && eventually([] { return introspect::stack_memory().warm == 0; }));
    const int n = scaled(100'000);
    const uint64_t before = introspect::stack_bytes_committed();
    const size_t rss = resident_set();
    for (int burst = 0; burst < 2; burst++) {
      auto wake = make_chan<int>();
      WaitGroup ended;
      for (int i = 0; i < n; i++) {
        ended.go([wake, i]() mutable {
          volatile int mine = i;
          wake.recv();
          EXPECT_EQ(mine, i);
        });
      }
      EXPECT_TRUE(eventually([&] { return used_slots() >= static_cast<size_t>(n); }));
      const uint64_t used = introspect::stack_bytes_committed() - before;
      EXPECT_GE(used, n * kPage);
      wake.close();
      ended.wait();
      // All but what the Ps keep for quick use.
      EXPECT_TRUE(eventually([&] {
        return introspect::stack_memory().warm == 0 &&
               introspect::stack_bytes_committed() <= before + used / 20 + 256 * 2 * kPage;
      })) << introspect::stack_memory().warm
          << " warm of " << n;
      if (!kSanitized) {
        EXPECT_LE(resident_set(), rss + used / 10 + 4096 * kKiB);
      }
    }
    EXPECT_GE(introspect::stack_memory().released_bytes, 2u * n * kPage / 2);
  });
}

TEST_F(Stack, ColdOnesAreNotTouchedByAWalk) {
  FastReclaim fast(INT64_MAX);
  weir::run([] {
    WaitGroup ended;
    auto wake = make_chan<int>();
    for (int i = 0; i < 2000; i++) ended.go([wake]() mutable { wake.recv(); });
    wake.close();
    ended.wait();
    ASSERT_TRUE(eventually([] {
      StackMemory s = introspect::stack_memory();
      return s.warm == 0 && s.cold > 1000;
    }));
    const uint64_t before = introspect::stack_bytes_committed();
    size_t met = 0;
    for_each_goroutine([&](const Look&) { met++; });
    EXPECT_GE(met, 1u);
    EXPECT_LT(met, 2000u);
    EXPECT_LE(introspect::stack_bytes_committed(), before + 16 * kPage);
  });
}

TEST_F(Stack, CountsAddUp) {
  weir::run([] {
    auto wake = make_chan<int>();
    WaitGroup ended;
    for (int i = 0; i < 100; i++) ended.go([wake]() mutable { wake.recv(); });
    for (int i = 0; i < 100; i++) {
      go({.stack_size = 32 * kKiB}, [] {});
    }
    EXPECT_TRUE(eventually([] { return used_slots() == num_goroutine(); }))
        << used_slots() << " slots in use, " << num_goroutine() << " goroutines";
    StackMemory s = introspect::stack_memory();
    EXPECT_GE(s.reserved_bytes, s.slots * 16 * kKiB);
    EXPECT_GE(introspect::stack_bytes_committed(), num_goroutine() * kPage);
    wake.close();
    ended.wait();
    EXPECT_TRUE(eventually([] { return used_slots() == num_goroutine(); }));
  });
}

// --- parked goroutines ---

// Parks shallow, after having been deep.
struct Parked {
  chan<int> wake = make_chan<int>();
  chan<bool> done = make_chan<bool>();
  uint64_t id = 0;

  explicit Parked(size_t depth) {
    id = go_with_id([wake = wake, done = done, depth]() mutable {
      unsigned char live[3000];
      volatile unsigned char* data = live;
      for (size_t i = 0; i < sizeof live; i++) data[i] = static_cast<unsigned char>(i * 7);
      bool intact = use_bytes(depth);
      while (wake.recv()) {
        for (size_t i = 0; i < sizeof live; i++) {
          if (data[i] != static_cast<unsigned char>(i * 7)) intact = false;
        }
        done.send(intact);
        intact = use_bytes(depth);
      }
    });
    waits(id, introspect::WaitReason::chan_receive);
  }
  // Wakes it: did its data stay? It has parked again after that.
  bool ask() {
    wake.send(1);
    bool intact = *done.recv();
    waits(id, introspect::WaitReason::chan_receive);
    return intact;
  }
};

TEST_F(Stack, ADeepOneThatIsParkedForLongGivesPagesBack) {
  FastReclaim fast;
  weir::run([] {
    constexpr size_t kDepth = 48 * kKiB;
    Parked p(kDepth);
    const uint64_t trims = introspect::stack_memory().trims;
    for (int times = 0; times < 5; times++) {
      EXPECT_TRUE(eventually([&] { return use_of(p.id).committed <= 5 * kPage; }))
          << use_of(p.id).committed;
      EXPECT_TRUE(p.ask());
    }
    StackMemory s = introspect::stack_memory();
    EXPECT_GE(s.trims, trims + 4);
    EXPECT_GE(s.trimmed_bytes, 4 * 8 * kPage);
    p.wake.close();
  });
}

TEST_F(Stack, WhatIsAboveTheStackPointerIsKept) {
  FastReclaim fast;
  weir::run([] {
    constexpr size_t kDepth = 48 * kKiB;
    // Parked at the bottom of what it uses: nothing to give back there.
    struct Deep {
      [[gnu::noinline]] static bool descend(chan<int>& wake, uintptr_t until, size_t seed) {
        volatile unsigned char frame[512];
        for (size_t i = 0; i < sizeof frame; i++) frame[i] = static_cast<unsigned char>(seed + i);
        bool intact = true;
        if (here() > until) {
          intact = descend(wake, until, seed + 1);
        } else {
          wake.recv();
        }
        for (size_t i = 0; i < sizeof frame; i++) {
          if (frame[i] != static_cast<unsigned char>(seed + i)) intact = false;
        }
        return intact;
      }
    };
    auto wake = make_chan<int>();
    auto done = make_chan<bool>(1);
    uint64_t id = go_with_id([=]() mutable { done.send(Deep::descend(wake, here() - kDepth, 1)); });
    ASSERT_TRUE(waits(id, introspect::WaitReason::chan_receive));
    Parked witness(kDepth);  // a pass over all stacks has been made when it is trimmed
    EXPECT_TRUE(eventually([&] { return use_of(witness.id).committed <= 5 * kPage; }));
    EXPECT_GE(use_of(id).committed, kDepth);
    wake.close();
    EXPECT_TRUE(*done.recv());
    witness.wake.close();
  });
}

TEST_F(Stack, AnIdleProgramTrimsToo) {
  FastReclaim fast(300'000'000);
  std::thread looker;
  bool trimmed = false;
  weir::run([&] {
    Parked p(48 * kKiB);
    auto end = make_chan<int>();
    looker = std::thread([&, end]() mutable {
      const uint64_t id = p.id;
      auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      while (!trimmed && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        StackUse use{};
        auto look = look_at(id);
        trimmed = look && introspect::stack_use(look->slot, id, use) && use.committed <= 5 * kPage;
      }
      end.close();
    });
    end.recv();  // nothing runs meanwhile
    p.wake.close();
  });
  looker.join();
  EXPECT_TRUE(trimmed);
}

// --- how deep ---

TEST_F(Stack, HighWaterOfAGoroutineOnAFreshStack) {
  weir::run([] {
    // A class that nobody else uses, so a stack that nobody has used.
    constexpr size_t kSize = 4096 * kKiB;
    auto wake = make_chan<int>();
    auto id = make_chan<uint64_t>();
    go({.stack_size = kSize}, [=]() mutable {
      id.send(goid());
      wake.recv();
      use_bytes(200 * kKiB);
      wake.recv();
    });
    uint64_t goid = *id.recv();
    ASSERT_TRUE(waits(goid, introspect::WaitReason::chan_receive));
    StackUse use = use_of(goid);
    EXPECT_FALSE(use.inherited);
    EXPECT_GT(use.size, kSize - 2 * kPage);
    EXPECT_LE(use.high_water, 32 * kKiB);
    wake.send(1);
    ASSERT_TRUE(eventually([&] { return use_of(goid).high_water > 200 * kKiB; }));
    use = use_of(goid);
    EXPECT_LE(use.high_water, (kSanitized ? 400 : 232) * kKiB);
    EXPECT_GE(use.committed, 200 * kKiB);
    // It is remembered when the pages are given back.
    const size_t high = use.high_water;
    FastReclaim fast;
    EXPECT_TRUE(eventually([&] { return use_of(goid).committed <= 32 * kKiB; }));
    EXPECT_EQ(use_of(goid).high_water, high);
    EXPECT_FALSE(use_of(goid).inherited);
    wake.send(1);
  });
}

TEST_F(Stack, HighWaterOfAReusedStackIsABoundUntilItIsTrimmed) {
  weir::run([] {
    constexpr size_t kSize = 2048 * kKiB;
    auto wake = make_chan<int>();
    auto id = make_chan<uint64_t>();
    uint64_t second = 0;
    // On a busy machine the stack may have been given back before it is wanted again.
    ASSERT_TRUE(eventually([&] {
      go({.stack_size = kSize}, [=]() mutable { id.send(use_bytes(300 * kKiB) ? 1 : 0); });
      id.recv();
      if (!eventually([] { return used_slots() == num_goroutine(); })) return false;
      go({.stack_size = kSize}, [=]() mutable {
        id.send(goid());
        wake.recv();
      });
      second = *id.recv();
      if (!waits(second, introspect::WaitReason::chan_receive)) return false;
      if (use_of(second).inherited) return true;
      wake.send(1);
      return false;
    }));
    EXPECT_GT(use_of(second).high_water, 300 * kKiB);
    FastReclaim fast;
    EXPECT_TRUE(eventually([&] { return !use_of(second).inherited; }));
    EXPECT_LE(use_of(second).high_water, 32 * kKiB);
    wake.send(1);
  });
}

TEST_F(Stack, UseIsOfGoroutinesThatLive) {
  weir::run([] {
    uint64_t id = go_with_id([] {});
    ASSERT_TRUE(eventually([&] { return !look_at(id); }));
    StackUse use{};
    for (size_t slot = 0; slot < introspect::slot_count(); slot += 64) {
      EXPECT_FALSE(introspect::stack_use(slot, id, use));
    }
    EXPECT_FALSE(introspect::stack_use(introspect::slot_count(), goid(), use));
    auto self = look_at(goid());
    EXPECT_TRUE(introspect::stack_use(self->slot, goid(), use));
    EXPECT_GE(use.committed, kPage);
  });
  uint64_t thread = goid();
  StackUse use{};
  EXPECT_FALSE(introspect::stack_use(look_at(thread)->slot, thread, use));
}

// --- overflow ---

volatile bool always = true;
[[gnu::noinline]] int overflow(int n) {
  volatile char frame[256] = {};
  frame[n % 256] = 1;
  return always ? overflow(n + 1) + frame[0] : 0;
}

TEST_F(Stack, OverflowOfAReusedColdStackIsDetected) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(weir::run([] {
                FastReclaim fast;
                constexpr size_t kSize = 32 * kKiB;
                WaitGroup first;
                for (int i = 0; i < 10; i++) {
                  first.add(1);
                  go({.stack_size = kSize}, [&] { first.done(); });
                }
                first.wait();
                if (!eventually([] {
                      StackMemory s = introspect::stack_memory();
                      return s.warm == 0 && s.cold >= 1;
                    })) {
                  std::_Exit(3);
                }
                // Another one may become cold meanwhile: then it does not show, and is tried again.
                const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
                auto missed = make_chan<bool>();
                while (std::chrono::steady_clock::now() < deadline) {
                  const size_t cold = introspect::stack_memory().cold;
                  go({.stack_size = kSize}, [cold, missed] {
                    if (cold > 0 && introspect::stack_memory().cold == cold - 1) overflow(0);
                    missed.send(true);
                  });
                  missed.recv();
                }
                std::_Exit(4);
              }),
              ::testing::ExitedWithCode(2),
              "^runtime: goroutine stack exceeds 32768-byte limit\nfatal error: stack overflow");
}

}  // namespace
}  // namespace weir::testing
