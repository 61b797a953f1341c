// Judging: which goroutines of a scope are ignored by the names on their stacks; findings about
// those that are left. Any goroutine or thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <unordered_set>

#include "settle.h"

namespace weir::testing {

// The ids of those that the options or the pattern leave out, now. Throws std::bad_alloc.
std::unordered_set<uint64_t> ignored(const Scope& scope);

// What is to be said of the goroutines that `is_left` has chosen and that are still there, less
// those that are ignored. Throws std::bad_alloc.
Leaks judge(const Scope& scope, const std::function<bool(uint64_t goid)>& is_left,
            std::chrono::nanoseconds waited);

}  // namespace weir::testing
