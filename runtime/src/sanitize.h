// What AddressSanitizer and ThreadSanitizer must be told at each switch; nothing in other builds.
// The build system defines WEIR_ASAN or WEIR_TSAN.
#pragma once

#include "runtime2.h"

#if defined(WEIR_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(WEIR_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace weir::rt {

inline constexpr bool kSanitized =
#if defined(WEIR_ASAN) || defined(WEIR_TSAN)
    true;
#else
    false;
#endif

// A G is about to run for the first time; its stack may bear marks of the last owner.
inline void sanitizer_new([[maybe_unused]] G* gp) noexcept {
#if defined(WEIR_ASAN)
  __asan_unpoison_memory_region(reinterpret_cast<void*>(gp->stack_lo), gp->stack_hi - gp->stack_lo);
  gp->asan_fake_stack = nullptr;
#endif
#if defined(WEIR_TSAN)
  gp->tsan_fiber = __tsan_create_fiber(0);
#endif
}

// The thread's own context.
inline void sanitizer_thread([[maybe_unused]] G* g0) noexcept {
#if defined(WEIR_TSAN)
  g0->tsan_fiber = __tsan_get_current_fiber();
#endif
}

// Just before the switch. dying: `from` will never run again.
inline void sanitizer_switch([[maybe_unused]] G* from, [[maybe_unused]] G* to,
                             [[maybe_unused]] bool dying) noexcept {
#if defined(WEIR_ASAN)
  __sanitizer_start_switch_fiber(dying ? nullptr : &from->asan_fake_stack,
                                 reinterpret_cast<void*>(to->stack_lo),
                                 to->stack_hi - to->stack_lo);
#endif
#if defined(WEIR_TSAN)
  // The switch orders both sides: M and P are handed from one context to the other without atomics.
  // So what two goroutines do one after the other on the same thread is not reported as a race.
  __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
}

// Just after it, on the stack of `self`.
inline void sanitizer_switched([[maybe_unused]] G* self) noexcept {
#if defined(WEIR_ASAN)
  __sanitizer_finish_switch_fiber(self->asan_fake_stack, nullptr, nullptr);
#endif
}

// A dead G, from another context.
inline void sanitizer_dead([[maybe_unused]] G* gp) noexcept {
#if defined(WEIR_TSAN)
  __tsan_destroy_fiber(gp->tsan_fiber);
  gp->tsan_fiber = nullptr;
#endif
}

// What was written before the release is seen after the acquire, though they are handed over by
// code that is not instrumented.
inline void sanitizer_release([[maybe_unused]] const void* at) noexcept {
#if defined(WEIR_TSAN)
  __tsan_release(const_cast<void*>(at));
#endif
}
inline void sanitizer_acquire([[maybe_unused]] const void* at) noexcept {
#if defined(WEIR_TSAN)
  __tsan_acquire(const_cast<void*>(at));
#endif
}

}  // namespace weir::rt
