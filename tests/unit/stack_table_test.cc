// StackTable: equal stacks once, and no more memory than it may have.
#include "stack_table.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace {

using weir::profiler::RawStack;
using weir::profiler::StackTable;

RawStack stack(uintptr_t leaf, uint32_t depth) {
  RawStack s;
  for (uint32_t i = 0; i < depth; i++) s.pcs[i] = i == 0 ? leaf : 0x1000 + i;
  s.depth = depth;
  weir::profiler::rehash(s);
  return s;
}

TEST(StackTable, KeepsEqualStacksOnce) {
  StackTable table;
  const uint32_t a = table.add(stack(1, 5)), b = table.add(stack(2, 5));
  EXPECT_NE(a, b);
  EXPECT_EQ(table.add(stack(1, 5)), a);
  EXPECT_EQ(table.add(stack(2, 5)), b);
  EXPECT_NE(table.add(stack(1, 6)), a);
  RawStack cut = stack(1, 5);
  cut.truncated = true;
  weir::profiler::rehash(cut);
  EXPECT_NE(table.add(cut), a);
  EXPECT_EQ(table.size(), 4U);
}

TEST(StackTable, OfOneHashTheyAreToldApart) {
  StackTable table;
  RawStack a = stack(1, 3), b = stack(2, 3);
  b.hash = a.hash;
  const uint32_t at = table.add(a);
  EXPECT_NE(table.add(b), at);
  EXPECT_EQ(table.add(a), at);
  EXPECT_EQ(table.size(), 2U);
}

TEST(StackTable, CutsFurtherStacksWhenItHasManyFrames) {
  StackTable table(40, 100);
  const uint32_t a = table.add(stack(1, 30));
  const uint32_t b = table.add(stack(2, 30));  // the first 8 only
  ASSERT_EQ(table.pcs(b).size(), StackTable::kCut);
  EXPECT_EQ(table.pcs(b)[0], 2U);
  EXPECT_TRUE(table.truncated(b));
  EXPECT_EQ(table.add(stack(2, 29)), b);  // what differs further down is one now
  EXPECT_EQ(table.add(stack(1, 30)), a);  // who was known stays known
  EXPECT_FALSE(table.truncated(a));
}

TEST(StackTable, OneStandsForAllOthersWhenItHasManyStacks) {
  StackTable table(1000, 3);
  for (uintptr_t i = 1; i <= 3; i++) table.add(stack(i, 4));
  const uint32_t other = table.add(stack(4, 4));
  EXPECT_EQ(table.pcs(other).size(), 0U);
  EXPECT_TRUE(table.truncated(other));
  for (uintptr_t i = 5; i < 100; i++) EXPECT_EQ(table.add(stack(i, 4)), other);
  EXPECT_EQ(table.size(), 4U);
}

}  // namespace
