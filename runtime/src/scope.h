// scope: a stretch of runtime code that uses the M's P.
//
// A P may be taken from an M that runs user code (sysmon: it ran too long; stop_the_world), at any
// instruction, from another thread. So that runtime code can use its P with plain loads and stores,
// an M says `inruntime` while it does. The taker sets M::retake, then makes every thread pass a
// memory barrier (membarrier(2)), then reads `inruntime`: if false, the M will see `retake` before
// it touches its P again, and waits for the decision. So entering costs a store, a compiler barrier
// and two loads, no fence.
//
// Inside a scope: no user code, no park other than by the functions of proc.h that say so.
#pragma once

#include <atomic>

#include "runtime2.h"

namespace weir::rt {

extern bool have_membarrier;  // else entering a scope and waking somebody cost a fence
// Does without it if it is refused by now, as in a sandbox. While there are no Ms.
void check_membarrier() noexcept;
// Every thread of the process passes a full memory barrier; without membarrier the caller does, and
// all others have fences of their own. About 1 us.
void fence_all_threads() noexcept;
void await_retake(M* m) noexcept;

[[gnu::always_inline]] inline P* enter_runtime(M* m) noexcept {
  m->inruntime.store(true, std::memory_order_relaxed);
  if (have_membarrier) [[likely]] {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  if (m->retake.load(std::memory_order_acquire)) [[unlikely]]
    await_retake(m);
  return m->p.load(std::memory_order_relaxed);
}

[[gnu::always_inline]] inline void leave_runtime(M* m) noexcept {
  m->inruntime.store(false, std::memory_order_release);
}

}  // namespace weir::rt
