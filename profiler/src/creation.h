// Creation stacks: where goroutines were created, told by the runtime's hook and kept for as long
// as the process lives, each distinct one once.
#pragma once

#include <cstdint>
#include <span>

namespace weir::profiler::creation {

// The stack by which a goroutine was created (introspect::Goroutine::creation_stack), leaf first:
// the call of weir::go and its callers. Empty where the id is unknown.
struct Stack {
  std::span<const uintptr_t> pcs;
  bool truncated = false;
};
Stack stack(uint32_t id) noexcept;

}  // namespace weir::profiler::creation
