// The snapshots that are kept: how many, which, and in how much memory.
#include "observe/snapshot_store.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace weir::http::observe {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

profiler::Snapshot with_members(size_t n) {
  profiler::Snapshot s;
  s.total = n;
  s.groups.emplace_back().count = n;
  s.groups.back().members.resize(n);
  s.objects.resize(n);
  return s;
}

TEST(SnapshotStore, IdsCountUpAndFind) {
  SnapshotStore store;
  EXPECT_EQ(store.add(with_members(1), 0, false), 1U);
  EXPECT_EQ(store.add(with_members(2), kSecond, true), 2U);
  ASSERT_TRUE(store.find(2));
  EXPECT_EQ(store.find(2)->snapshot->total, 2U);
  EXPECT_TRUE(store.find(2)->asked);
  EXPECT_FALSE(store.find(3));
  EXPECT_FALSE(store.find(0));
}

TEST(SnapshotStore, IsDenseForTheLastMomentsAndSparseForLongAgo) {
  SnapshotStore store;
  constexpr int kSamples = 100'000;  // one each 2 s: more than two days
  for (int64_t i = 0; i < kSamples; i++) store.add(with_members(1), i * 2 * kSecond, false);
  const auto& all = store.all();
  EXPECT_LT(all.size(), 200U);
  EXPECT_GT(all.size(), 50U);
  EXPECT_EQ(all.front().id, 1U) << "the first of all stays";
  EXPECT_EQ(all.back().id, static_cast<uint64_t>(kSamples));
  const int64_t now = all.back().at_ns;
  for (size_t i = 1; i < all.size(); i++) {
    const int64_t gap = all[i].at_ns - all[i - 1].at_ns, age = now - all[i].at_ns;
    EXPECT_LE(gap, age / 8 + 4 * kSecond) << "at age " << age / kSecond << " s";
  }
}

TEST(SnapshotStore, WhatWasAskedForStaysWhileThereAreFewOfThem) {
  SnapshotStore store;
  std::vector<uint64_t> asked;
  int64_t at = 0;
  for (int round = 0; round < 12; round++) {
    asked.push_back(store.add(with_members(1), at += kSecond, true));
    for (int i = 0; i < 500; i++) store.add(with_members(1), at += kSecond, false);
  }
  for (size_t i = 0; i < asked.size(); i++) {
    EXPECT_EQ(store.find(asked[i]).has_value(), asked.size() - i <= SnapshotStore::kMaxAsked) << i;
  }
}

TEST(SnapshotStore, LargeOnesAreKeptAsCountsAlone) {
  SnapshotStore store;
  const uint64_t id = store.add(with_members(100'000), 0, false);
  const auto kept = store.find(id);
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->stripped);
  EXPECT_EQ(kept->snapshot->groups[0].count, 100'000U);
  EXPECT_TRUE(kept->snapshot->groups[0].members.empty());
  EXPECT_LT(kept->bytes, 10'000U);
  EXPECT_FALSE(store.find(store.add(with_members(100), 1, false))->stripped);
}

TEST(SnapshotStore, StaysWithinItsMemory) {
  SnapshotStore store;
  const uint64_t asked = store.add(with_members(10'000), 0, true);
  int64_t at = 0;
  for (int i = 0; i < 1000; i++) {
    store.add(with_members(10'000), at += kSecond << (i / 50), false);
    size_t sum = 0;
    for (const Kept& k : store.all()) sum += k.bytes;
    ASSERT_EQ(sum, store.bytes());
    ASSERT_LE(store.bytes(), SnapshotStore::kMaxBytes);
  }
  EXPECT_TRUE(store.find(asked)) << "others go first";
  EXPECT_GT(store.all().size(), 3U);
}

}  // namespace
}  // namespace weir::http::observe
