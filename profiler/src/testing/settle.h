// Settling: goroutines are waited for that are about to end; what is left then, and why.
#pragma once

#include <cstdint>

#include <weir/testing.h>

#include "pattern.h"

namespace weir::testing {

// Whose goroutines, and which of them are left out.
struct Scope {
  uint64_t mark = 0;  // those with this mark; 0: all
  const LeakOptions& options;
  // Of a frame's function or file, or of the creator's; null: none.
  const profiler::Pattern* ignore = nullptr;

  bool has_patterns() const {
    return ignore || !options.ignore_top_function.empty() || !options.ignore_any_function.empty() ||
           !options.ignore_created_by.empty();
  }
};

// Waits where it is called. Throws std::bad_alloc.
Leaks settle(const Scope& scope);
// The same; on a plain thread, while no run is under way, within a run of its own that lets the
// goroutines go on. Throws also what weir::run does.
Leaks settle_in_run(const Scope& scope);
// The calling thread is in such a run.
bool settling() noexcept;

}  // namespace weir::testing
