// The stack walk: program counters from a goroutine's registers to the end of its stack, by the
// rules of rules.h. Async-signal-safe, allocates nothing, reads nothing outside [regs.sp,
// stack_hi).
#pragma once

#include <weir/introspect.h>

#include <cstddef>
#include <cstdint>

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

// `exact`: regs.pc is where the goroutine was interrupted, not a return address. The words of the
// stack are read `displacement` bytes from where they belong: 0, or those of a copy.
Walk unwind(const introspect::Registers& regs, uintptr_t stack_lo, uintptr_t stack_hi, bool exact,
            RawStack& out, ptrdiff_t displacement = 0) noexcept;

}  // namespace weir::profiler
