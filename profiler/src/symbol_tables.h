// SymbolTables: program counters -> the tables of a Snapshot: stacks, locations, frames, mappings,
// each stored once. Counters are symbolized once, in finish().
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include <weir/profiler/snapshot.h>

#include "symbolize.h"

namespace weir::profiler {

// Looks up the mappings of the program and the frames of s's locations, which have addresses alone.
// Needs much stack (roomy_stack.h).
void name_locations(Snapshot& s, Symbolizer& symbolizer = own_symbolizer());

class SymbolTables {
 public:
  // Index of a new stack; program counters are those of calls (return address - 1), leaf first.
  uint32_t add_stack(std::span<const uintptr_t> pcs, bool truncated);

  // Looks up what was added. The tables are used up.
  Snapshot finish();

 private:
  uint32_t intern_location(uint64_t address);

  Snapshot tables_;
  std::unordered_map<uint64_t, uint32_t> locations_;  // address -> index
};

}  // namespace weir::profiler
