// Names of functions by program counter, for those who have nothing but numbers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::profiler {

// For each program counter of this process the function that it is in; where calls are inlined, the
// innermost that is not weir's own; "" where none is known. Thread-safe; may read files; not on a
// goroutine, whose stack is too small.
std::vector<std::string> function_names(std::span<const uint64_t> pcs);

}  // namespace weir::profiler
