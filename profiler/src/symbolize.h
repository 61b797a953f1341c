// Symbolizer: program counter -> functions, file and line, inlined calls included.
//
// From the debug information (DWARF) of the loaded objects, else from their symbol tables, else the
// address itself as text. One for the process, with a bounded cache per program counter that lives
// across captures: each distinct one is looked up once. Thread-safe by one lock (libdw is not);
// never used while a goroutine is held.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

using Frames = std::shared_ptr<const std::vector<Frame>>;

// The frames at `pc`, innermost first; never empty. `pc` is inside the instruction meant: for a
// caller the return address - 1.
Frames symbolize(uint64_t pc);

// Takes note of objects that were loaded and unloaded. Once before a batch of symbolize() calls.
void refresh_symbols();

}  // namespace weir::profiler
