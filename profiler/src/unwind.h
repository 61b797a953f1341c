// The stack walk: program counters from a goroutine's registers to the end of its stack, by the
// rules of rules.h. Async-signal-safe, allocates nothing, reads nothing outside [regs.sp,
// stack_hi), or, of an interrupted thread, its red zone below.
#pragma once

#include <weir/introspect.h>

#include <cstddef>
#include <cstdint>

#include "rules.h"

namespace weir::profiler {

inline constexpr uint32_t kMaxDepth = 256;  // frames of one stack that are recorded

struct RawStack {
  uint64_t hash = 0;  // of depth, truncated and pcs
  uint32_t depth = 0;
  bool truncated = false;    // there is more that was not or could not be walked
  uintptr_t pcs[kMaxDepth];  // calls (return address - 1), or exact; leaf first
};

struct Walk {
  bool complete =
      false;  // false: the rule for `missing` has to be learned first; the stack is the part
  uintptr_t missing = 0;  // walked so far, marked truncated
};

// What a walk read, and so what it depends on beside the registers' pc and sp.
struct WalkTrace {
  struct Word {
    uintptr_t at, value;
    bool relative;  // an address on the stack (else a return address)
    bool matters;   // false: a saved frame pointer that no frame address was computed from
  };
  static constexpr uint32_t kMaxWords = 128;
  uint32_t count = 0;
  bool fp_matters = false;  // of the registers
  bool overflown = false;   // there was more
  Word words[kMaxWords];
};

// `exact`: regs.pc is where the goroutine was interrupted, not a return address. The words of the
// stack are read `displacement` bytes from where they belong: 0, or those of a copy. `trace`, where
// given, tells what was read. `rules`: of the process that the stack is of.
Walk unwind(const introspect::Registers& regs, uintptr_t stack_lo, uintptr_t stack_hi, bool exact,
            RawStack& out, ptrdiff_t displacement = 0, WalkTrace* trace = nullptr,
            const RuleTable& rules = rules::own()) noexcept;

// Sets the hash of a stack that was put together otherwise.
void rehash(RawStack& stack) noexcept;

}  // namespace weir::profiler
