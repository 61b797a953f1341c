// The program counter of the place that includes it: how objects learn where they were made or
// used, for the price of one `lea`.
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

}  // namespace weir::detail
