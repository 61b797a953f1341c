// Who am I: the G and M of the calling OS thread.
//
// A goroutine may come back from a switch on another thread, so the compiler must not keep the
// address of a thread_local over one. These reads cannot be merged, moved over a switch, or kept.
#pragma once

#include "runtime2.h"

namespace weir::rt {

extern thread_local G* tls_g __asm__("weir_tls_g") __attribute__((tls_model("initial-exec")));
extern thread_local mailbox* tls_box __attribute__((tls_model("initial-exec")));

// The calling goroutine, g0 on a scheduler stack, or null on a plain thread that never used weir.
[[gnu::always_inline]] inline G* tls_getg() noexcept {
#if defined(__x86_64__)
  G* g;
  asm volatile("movq weir_tls_g@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(g));
  return g;
#else
  G* g;
  uintptr_t base;
  asm volatile(
      "mrs %1, tpidr_el0\n\tadrp %0, :gottprel:weir_tls_g\n\t"
      "ldr %0, [%0, :gottprel_lo12:weir_tls_g]\n\tldr %0, [%1, %0]"
      : "=&r"(g), "=&r"(base));
  return g;
#endif
}

[[gnu::always_inline]] inline void tls_setg(G* g) noexcept {
#if defined(__x86_64__)
  uintptr_t offset;
  asm volatile("movq weir_tls_g@gottpoff(%%rip), %0\n\tmovq %1, %%fs:(%0)"
               : "=&r"(offset)
               : "r"(g)
               : "memory");
#else
  uintptr_t base, offset;
  asm volatile(
      "mrs %1, tpidr_el0\n\tadrp %0, :gottprel:weir_tls_g\n\t"
      "ldr %0, [%0, :gottprel_lo12:weir_tls_g]\n\tstr %2, [%1, %0]"
      : "=&r"(offset), "=&r"(base)
      : "r"(g)
      : "memory");
#endif
}

// The goid of the caller.
uint64_t self_goid() noexcept;

// Makes the calling plain thread known (thread.cc).
G* register_thread();

// The calling goroutine or thread; registers a plain thread at its first use of weir.
inline G* getg() noexcept {
  G* g = tls_getg();
  if (g == nullptr) [[unlikely]]
    g = register_thread();
  return g;
}

}  // namespace weir::rt
