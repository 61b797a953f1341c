// The stack of the caller, by its own hand: for hooks that run on goroutines.
#pragma once

#include <weir/introspect.h>

#include <cstddef>
#include <cstdint>

#include "teacher.h"
#include "unwind.h"

namespace weir::profiler {

// Stack that must be left to walk it, bytes: waiting for the teacher is the deepest.
inline constexpr size_t kWalkNeeds = 3072;

[[gnu::always_inline]] inline introspect::Registers registers_here() noexcept {
  introspect::Registers r;
  // The frame pointer first: its register may be where the others go.
#if defined(__x86_64__)
  asm volatile("movq %%rbp, %0\n\tmovq %%rsp, %1\n\tleaq 0(%%rip), %2"
               : "=&r"(r.fp), "=&r"(r.sp), "=&r"(r.pc));
#elif defined(__aarch64__)
  asm volatile("mov %0, x29\n\tmov %1, sp\n\tadr %2, ." : "=&r"(r.fp), "=&r"(r.sp), "=&r"(r.pc));
#endif
  return r;
}

// Walks from `regs`, which are a living frame's of the caller's own stack, learning what is missing
// on the way. False: too little stack is left to do so.
inline bool walk_self(const introspect::Registers& regs, uintptr_t stack_lo, uintptr_t stack_hi,
                      RawStack& out) noexcept {
  if (regs.sp < stack_lo + kWalkNeeds) return false;
  for (uint32_t misses = 0;; ++misses) {
    const Walk walk = unwind(regs, stack_lo, stack_hi, true, out);
    if (walk.complete || misses > kMaxDepth || !teacher::learn(walk.missing)) return true;
  }
}

}  // namespace weir::profiler
