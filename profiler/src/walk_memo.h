// WalkMemo: walks of one capture that need not be done again.
//
// A walk is a function of the registers it starts from and of the words that it reads: return
// addresses, and those saved frame pointers that a frame address was computed from. Whoever starts
// at the same pc, as far below the end of its stack, and has the same words at the same places
// (frame pointers: relative to the end of the stack), has the same stack. To compare a dozen words
// takes a fraction of a walk, and their cache misses overlap; each is confirmed in full, so nothing
// depends on a hash.
//
// Made for very many goroutines at few places. Used by one thread; find() is called while a
// goroutine is held: it allocates nothing and reads nothing outside [regs.sp, stack_hi).
#pragma once

#include <weir/introspect.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "unwind.h"

namespace weir::profiler {

class WalkMemo {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // The number that was remembered for a walk from here; kNone: none was.
  uint32_t find(const introspect::Registers& regs, uintptr_t stack_hi) const noexcept;

  // Remembers a complete walk and what it read, under a number of the caller's (its index in a
  // table of stacks). Not while a goroutine is held.
  void remember(const introspect::Registers& regs, uintptr_t stack_hi, const WalkTrace& trace,
                uint32_t number);

  bool full() const noexcept { return used_ == kWalks; }

 private:
  // Where walks of the same form read.
  struct Shape {
    uintptr_t pc;
    uint32_t bytes;  // from sp to the end of the stack
    bool fp_matters;
    uint32_t words;  // how many words
    uint32_t first;  // of them in places_
    uint32_t next;   // another shape of the same pc and bytes; kNone: none
  };
  struct Place {
    uint32_t below_hi;  // bytes from the end of the stack
    bool relative;      // the word is an address on the stack
  };
  struct Walked {
    uint64_t hash;
    uint32_t shape;  // kNone: free
    uint32_t number;
    uint32_t first;  // of its words in words_
  };
  static constexpr size_t kShapes = 1024, kWalks = 4096;  // then no more are remembered
  static constexpr int kMaxChain = 8;                     // shapes that one search may try
  static constexpr uint32_t kMaxWords = 64;               // of a walk that is remembered

  static size_t bucket(uintptr_t pc, uintptr_t bytes) {
    return (pc ^ bytes * 0x9e3779b97f4a7c15U >> 40) % kShapes;
  }
  bool has_form(const Shape& s, const introspect::Registers& regs, uintptr_t bytes) const {
    return s.pc == regs.pc && s.bytes == bytes;
  }

  std::vector<uint32_t> shape_heads_ = std::vector<uint32_t>(kShapes, kNone);
  std::vector<Shape> shapes_;
  std::vector<Place> places_;
  std::vector<Walked> walks_ = std::vector<Walked>(2 * kWalks, Walked{0, kNone, 0, 0});
  size_t used_ = 0;
  std::vector<uintptr_t> words_;
};

}  // namespace weir::profiler
