#include "symbol_tables.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "roomy_stack.h"

namespace weir::profiler {

uint32_t SymbolTables::intern_location(uint64_t address) {
  const auto index = static_cast<uint32_t>(tables_.locations.size());
  const auto [found, is_new] = locations_.try_emplace(address, index);
  if (is_new) tables_.locations.push_back({address, 0, {}});
  return found->second;
}

uint32_t SymbolTables::add_stack(std::span<const uintptr_t> pcs, bool truncated) {
  Stack stack;
  stack.truncated = truncated;
  stack.locations.reserve(pcs.size());
  for (const uintptr_t pc : pcs) stack.locations.push_back(intern_location(pc));
  tables_.stacks.push_back(std::move(stack));
  return static_cast<uint32_t>(tables_.stacks.size() - 1);
}

Snapshot SymbolTables::finish() {
  return on_roomy_stack([this] {
    name_locations(tables_);
    return std::move(tables_);
  });
}

void name_locations(Snapshot& s, Symbolizer& symbolizer) {
  symbolizer.refresh();
  s.mappings = symbolizer.mappings();
  std::unordered_map<std::string, std::vector<uint32_t>> known;  // function -> frames
  for (Location& location : s.locations) {
    for (uint32_t i = 0; i < s.mappings.size(); ++i) {
      const Mapping& m = s.mappings[i];
      if (location.address >= m.start && location.address < m.limit) location.mapping = i + 1;
    }
    const Frames frames = symbolizer.look_up(location.address);
    for (const Frame& frame : *frames) {
      std::vector<uint32_t>& alike = known[frame.function];
      auto found = std::ranges::find_if(alike, [&](uint32_t i) { return s.frames[i] == frame; });
      if (found == alike.end()) {
        found = alike.insert(alike.end(), static_cast<uint32_t>(s.frames.size()));
        s.frames.push_back(frame);
      }
      location.frames.push_back(*found);
    }
  }
}

}  // namespace weir::profiler
