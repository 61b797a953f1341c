// StackStore: numbers for stacks, in bounded memory, for many threads at once.
#include "stack_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace weir::profiler {
namespace {

std::unique_ptr<RawStack> stack_of(std::initializer_list<uintptr_t> pcs, bool truncated = false) {
  auto s = std::make_unique<RawStack>();
  s->depth = static_cast<uint32_t>(pcs.size());
  s->truncated = truncated;
  std::copy(pcs.begin(), pcs.end(), s->pcs);
  return s;
}

TEST(StackStore, EqualStacksHaveOneNumber) {
  StackStore store(16, 64);
  const uint32_t a = store.intern(*stack_of({1, 2, 3})), b = store.intern(*stack_of({1, 2}));
  EXPECT_NE(a, 0U);
  EXPECT_NE(a, b);
  EXPECT_EQ(store.intern(*stack_of({1, 2, 3})), a);
  EXPECT_NE(store.intern(*stack_of({1, 2, 3}, true)), a) << "one that was cut is another";
  EXPECT_EQ(store.intern(*stack_of({9, 1, 2}), 1), b) << "the first does not count";
  EXPECT_TRUE(std::ranges::equal(store.pcs(a), std::vector<uintptr_t>{1, 2, 3}));
  EXPECT_FALSE(store.truncated(a));
  EXPECT_EQ(store.size(), 3U);
}

TEST(StackStore, FullIsFull) {
  StackStore few(2, 100), short_ones(100, 3);
  EXPECT_NE(few.intern(*stack_of({1})), 0U);
  EXPECT_NE(few.intern(*stack_of({2})), 0U);
  EXPECT_EQ(few.intern(*stack_of({3})), 0U);
  EXPECT_NE(few.intern(*stack_of({1})), 0U) << "a known one is found";
  EXPECT_NE(short_ones.intern(*stack_of({1, 2})), 0U);
  EXPECT_EQ(short_ones.intern(*stack_of({3, 4})), 0U);
  EXPECT_NE(short_ones.intern(*stack_of({3})), 0U);
}

TEST(StackStore, ManyThreadsAgree) {
  constexpr uintptr_t kStacks = 500;
  constexpr int kThreads = 4;
  StackStore store(kStacks, 2 * kStacks);
  std::vector<std::vector<uint32_t>> ids(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uintptr_t i = 1; i <= kStacks; ++i)
        ids[t].push_back(store.intern(*stack_of({i, i + 1})));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store.size(), kStacks);
  for (int t = 1; t < kThreads; ++t) EXPECT_EQ(ids[t], ids[0]);
}

}  // namespace
}  // namespace weir::profiler
