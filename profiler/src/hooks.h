// What the runtime's hooks have recorded about contention (creation stacks: creation.h).
#pragma once

#include <atomic>
#include <memory>

#include "stack_store.h"

namespace weir::profiler {

// The events of one kind since the program started, by stack. Bounded: 16384 stacks; what does not
// fit is summed up apart.
struct Contentions {
  static constexpr uint32_t kMaxStacks = 1 << 14;
  struct Sum {
    std::atomic<double> count{0}, delay_ns{0};
  };
  StackStore stacks{kMaxStacks, size_t{64} * kMaxStacks};
  // By the stack's number; [0]: events whose stack could not be kept.
  std::unique_ptr<Sum[]> sums{new Sum[kMaxStacks + 1]};
};

// Block events, or mutex events; null: no memory.
Contentions* contentions(bool mutex) noexcept;

}  // namespace weir::profiler
