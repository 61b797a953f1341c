// census: how many goroutines there are of each kind, without a look at their stacks: for metrics,
// which are asked for all the time. (What they do: capture.h.)
#pragma once

#include <weir/introspect.h>

#include <array>
#include <cstdint>

namespace weir::profiler {

struct Census {
  std::array<uint64_t, introspect::kStates> states{};        // goroutines, by State
  std::array<uint64_t, introspect::kWaitReasons> reasons{};  // of these the waiting, by WaitReason
  uint64_t goroutines = 0;                                   // the sum of `states`
  uint64_t threads = 0;                                      // plain OS threads that use weir
  // Contexts that can be cancelled and still exist. Forgotten ones are active, without a deadline,
  // and nobody can cancel them any more.
  uint64_t active_contexts = 0, cancelled_contexts = 0, expired_contexts = 0;
  uint64_t forgotten_contexts = 0;
  int64_t duration_ns = 0;  // that counting took
};

// Counts now: a glimpse of each goroutine, which is not held for it, and of each context. Linear:
// 40 ms for a million goroutines.
Census take_census() noexcept;

// The same for all who ask at once, and for a while: it is counted anew when the last count is
// older than ten times what it took. However many ask, that is a tenth of one processor at most.
// Waits for a count under way (not for goroutines: call it on a plain OS thread). Thread-safe.
Census shared_census();

// introspect::stack_bytes_committed(), likewise shared, and anew when it is older than a hundred
// times what it took: it costs 160 ms for a million stacks, all in the kernel.
uint64_t shared_stack_bytes();

}  // namespace weir::profiler
