// The sources of the block and mutex profiles and of creation stacks: what is measured, when it is
// sampled, and the hooks of the profiler, which walks the stack (<weir/introspect.h>).
//
// A wait is measured from the park to the wake, both stamped anyhow or on paths that are slow; the
// event is recorded by the goroutine itself when it goes on. A mutex event is recorded by the one
// who unlocks, once he has woken the waiter. Hooks run on the goroutine's own stack, outside of any
// scope and under no lock; they may take microseconds, and milliseconds the first time.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime2.h"

namespace weir::rt {

extern std::atomic<int64_t> block_rate;  // ns; 0: off
extern std::atomic<int> mutex_fraction;  // 0: off
extern std::atomic<bool> creations_wanted;

// Reasons of waits that the block profile is about.
inline constexpr uint32_t kBlockReasons = [] {
  uint32_t set = 0;
  for (WaitReason r : {WaitReason::select, WaitReason::chan_receive, WaitReason::chan_send,
                       WaitReason::mutex_lock, WaitReason::rwmutex_rlock, WaitReason::rwmutex_lock,
                       WaitReason::waitgroup_wait, WaitReason::cond_wait, WaitReason::semacquire}) {
    set |= 1u << static_cast<unsigned>(r);
  }
  return set;
}();

// Is a wait for this reason to be measured? (Wakes are stamped only where there is recording.)
[[gnu::always_inline]] inline bool block_profiled(WaitReason reason) noexcept {
  return detail::kRecording && block_rate.load(std::memory_order_relaxed) != 0 &&
         (kBlockReasons >> static_cast<unsigned>(reason) & 1) != 0;
}
[[gnu::always_inline]] inline bool mutex_profiled() noexcept {
  return mutex_fraction.load(std::memory_order_relaxed) != 0;
}

// The caller, gp, has waited for so many ticks.
void block_event(const G* gp, uint64_t ticks) noexcept;
// The caller has unlocked what others waited for, together for so many ticks.
void mutex_event(uint64_t ticks) noexcept;

// The runtime has started the calling thread.
void thread_event() noexcept;

uint16_t record_creation(const G* gp) noexcept;
// The id of the stack by which the caller, gp, is about to create a goroutine; 0: not recorded.
[[gnu::always_inline]] inline uint16_t creation_stack(const G* gp) noexcept {
  return creations_wanted.load(std::memory_order_relaxed) && gp ? record_creation(gp) : uint16_t{0};
}

}  // namespace weir::rt
