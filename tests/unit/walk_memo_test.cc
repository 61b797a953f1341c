// WalkMemo: what it says for a stack is what the walk would say. On stacks made of plain words.
#include "walk_memo.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

namespace {

using weir::introspect::Registers;
using weir::profiler::WalkMemo;
using weir::profiler::WalkTrace;

constexpr uintptr_t kPc = 0x1000;

// A stack of some words, walked by reading a return address in word 1, a frame pointer in word 2
// that matters if so said, and a return address in word 6.
class Stack {
 public:
  explicit Stack(uintptr_t outer = 0x3000) {
    for (uintptr_t& w : words_) w = reinterpret_cast<uintptr_t>(&w) * 3;  // noise of its own
    words_[1] = 0x2000;
    words_[2] = address(5);
    words_[6] = outer;
  }
  uintptr_t address(size_t i) const { return reinterpret_cast<uintptr_t>(&words_[i]); }
  uintptr_t hi() const { return address(0) + sizeof words_; }
  Registers regs(uintptr_t pc = kPc, size_t from = 0) const {
    return {pc, address(from), address(0)};
  }
  WalkTrace trace(bool fp_matters) const {
    WalkTrace t;
    for (const size_t i : {1, 2, 6}) {
      t.words[t.count++] = {address(i), words_[i], i == 2, i != 2 || fp_matters};
    }
    return t;
  }
  uintptr_t& operator[](size_t i) { return words_[i]; }

 private:
  std::array<uintptr_t, 8> words_;
};

TEST(WalkMemo, KnowsAStackOfTheSameReturnAddressesElsewhere) {
  WalkMemo memo;
  const Stack a, b;
  EXPECT_EQ(memo.find(a.regs(), a.hi()), WalkMemo::kNone);
  memo.remember(a.regs(), a.hi(), a.trace(false), 7);
  EXPECT_EQ(memo.find(a.regs(), a.hi()), 7U);
  EXPECT_EQ(memo.find(b.regs(), b.hi()), 7U);
}

TEST(WalkMemo, TellsStacksApart) {
  WalkMemo memo;
  const Stack a, other(0x4000);
  memo.remember(a.regs(), a.hi(), a.trace(false), 7);
  EXPECT_EQ(memo.find(other.regs(), other.hi()), WalkMemo::kNone);
  memo.remember(other.regs(), other.hi(), other.trace(false), 8);
  EXPECT_EQ(memo.find(other.regs(), other.hi()), 8U);
  EXPECT_EQ(memo.find(a.regs(), a.hi()), 7U);
  EXPECT_EQ(memo.find(a.regs(kPc + 1), a.hi()), WalkMemo::kNone);
  EXPECT_EQ(memo.find(a.regs(kPc, 1), a.hi()), WalkMemo::kNone);
}

TEST(WalkMemo, AFramePointerMattersWhereAFrameWasFoundByIt) {
  WalkMemo memo;
  Stack a, b, moved;
  moved[2] = moved.address(4);  // leads to another frame
  memo.remember(a.regs(), a.hi(), a.trace(true), 7);
  EXPECT_EQ(memo.find(b.regs(), b.hi()), 7U);  // relative to the stack it is the same
  EXPECT_EQ(memo.find(moved.regs(), moved.hi()), WalkMemo::kNone);

  WalkMemo indifferent;
  indifferent.remember(a.regs(), a.hi(), a.trace(false), 7);
  EXPECT_EQ(indifferent.find(moved.regs(), moved.hi()), 7U);
}

TEST(WalkMemo, TheFramePointerOfTheRegistersToo) {
  WalkMemo memo;
  const Stack a, b;
  WalkTrace trace = a.trace(false);
  trace.fp_matters = true;
  memo.remember(a.regs(), a.hi(), trace, 7);
  EXPECT_EQ(memo.find(b.regs(), b.hi()), 7U);
  Registers moved = b.regs();
  moved.fp += 8;
  EXPECT_EQ(memo.find(moved, b.hi()), WalkMemo::kNone);
}

TEST(WalkMemo, WhatItHasNoRoomForIsWalkedAgain) {
  WalkMemo memo;
  uint32_t known = 0;
  constexpr uint32_t kMany = 10'000;
  for (uint32_t i = 0; i < kMany; i++) {
    const Stack s(0x10000 + i);
    memo.remember(s.regs(), s.hi(), s.trace(false), i);
  }
  for (uint32_t i = 0; i < kMany; i++) {
    const Stack s(0x10000 + i);
    const uint32_t found = memo.find(s.regs(), s.hi());
    if (found == WalkMemo::kNone) continue;
    EXPECT_EQ(found, i);
    known++;
  }
  EXPECT_TRUE(memo.full());
  EXPECT_GT(known, 1000U);
  EXPECT_LT(known, kMany);
}

TEST(WalkMemo, WalksThatReadTooMuchAreNotKept) {
  WalkMemo memo;
  const Stack a;
  WalkTrace trace = a.trace(false);
  trace.overflown = true;
  memo.remember(a.regs(), a.hi(), trace, 7);
  EXPECT_EQ(memo.find(a.regs(), a.hi()), WalkMemo::kNone);
  memo.remember(a.regs(kPc, 4), a.hi(), a.trace(false), 7);  // below its stack pointer
  EXPECT_EQ(memo.find(a.regs(kPc, 4), a.hi()), WalkMemo::kNone);
  Registers nowhere = a.regs();
  nowhere.sp = a.hi();
  EXPECT_EQ(memo.find(nowhere, a.hi()), WalkMemo::kNone);
}

}  // namespace
