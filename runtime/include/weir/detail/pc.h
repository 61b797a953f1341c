// Where the caller is: its program counter, for objects that note where they were made or used (the
// price of one `lea`), and its frame, for dumps.
#pragma once

namespace weir::detail {

[[gnu::always_inline]] inline const void* current_pc() noexcept {
  const void* pc;
#if defined(__x86_64__)
  asm volatile("lea 0(%%rip), %0" : "=r"(pc));
#elif defined(__aarch64__)
  asm volatile("adr %0, ." : "=r"(pc));
#else
#error "weir runs on x86-64 and aarch64"
#endif
  return pc;
}

// After a call that blocks: the caller must stay on the stack, where a dump looks for it. Without
// it the compiler may turn the last call of a function into a jump (a tail call).
[[gnu::always_inline]] inline void keep_frame() noexcept { asm volatile(""); }

}  // namespace weir::detail
