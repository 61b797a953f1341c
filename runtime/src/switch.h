// The context switch and the layout of a goroutine that does not run: one assembly file per
// architecture (switch_<arch>.S), these offsets beside it.
#pragma once

#include <cstdint>
#include <cstring>

extern "C" {
// Saves the callee-saved registers and the stack pointer of the caller to *save_sp and goes on
// where to_sp was saved. Returns when somebody switches back.
void weir_switch(uintptr_t* save_sp, uintptr_t to_sp);
// The first code of a goroutine; calls weir_goroutine_main (proc.cc).
void weir_gostart();
[[noreturn]] void weir_goroutine_main();
}

namespace weir::rt {

#if defined(__x86_64__)
inline constexpr uintptr_t kSavedFp = 40, kSavedPc = 48, kSavedSize = 56;
inline constexpr uintptr_t kStartPcOffset = 1;  // the nop
#elif defined(__aarch64__)
inline constexpr uintptr_t kSavedFp = 0, kSavedPc = 8, kSavedSize = 160;
inline constexpr uintptr_t kStartPcOffset = 4;
#endif

inline uintptr_t load_word(uintptr_t at) noexcept {
  uintptr_t value;
  std::memcpy(&value, reinterpret_cast<const void*>(at), sizeof value);
  return value;
}

inline uintptr_t start_pc() noexcept {
  return reinterpret_cast<uintptr_t>(&weir_gostart) + kStartPcOffset;
}

// Lays out a new stack below `top` so that a switch to the result begins the goroutine.
inline uintptr_t prepare_stack(uintptr_t top) noexcept {
  uintptr_t sp = (top & ~uintptr_t{15}) - 16 - ((kSavedSize + 15) & ~uintptr_t{15});
#if defined(__x86_64__)
  // At a function's first instruction the stack pointer is 8 below a multiple of 16; weir_gostart
  // is entered by a jump with it at a multiple of 16, as it calls itself.
  sp += 16 - kSavedSize % 16;
#endif
  std::memset(reinterpret_cast<void*>(sp), 0, kSavedSize);
  uintptr_t pc = start_pc();
  std::memcpy(reinterpret_cast<void*>(sp + kSavedPc), &pc, sizeof pc);
  return sp;
}

}  // namespace weir::rt
