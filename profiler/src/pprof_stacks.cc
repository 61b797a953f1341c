#include "pprof_stacks.h"

#include <algorithm>

namespace weir::profiler::encode {

uint32_t PprofStacks::mapping_id(const Location& l) const {
  return l.mapping <= s_.mappings.size() ? l.mapping : 0;
}

void PprofStacks::write_mappings() {
  // A mapping has names for its locations unless one came without.
  std::vector<bool> is_named(s_.mappings.size(), true);
  for (const Location& l : s_.locations) {
    if (l.frames.empty() && mapping_id(l) != 0) is_named[l.mapping - 1] = false;
  }
  for (size_t i = 0; i < s_.mappings.size(); ++i) to_.mapping(i + 1, s_.mappings[i], is_named[i]);
}

void PprofStacks::locations(const std::vector<Shown>& stack, std::vector<uint64_t>& ids) {
  ids.clear();
  for (const Shown& x : stack) ids.push_back(location(x));
  if (ids.empty()) ids.push_back(unavailable());
}

uint64_t PprofStacks::location(const Shown& x) {
  uint64_t& id = ids_[{x.location, x.first, x.end}];
  if (id != 0) return id;
  lines_.clear();
  for (uint32_t i = x.first; i < x.end; ++i) {
    if (x.location->frames[i] >= s_.frames.size()) continue;
    const Frame& f = s_.frames[x.location->frames[i]];
    if (f.function.empty()) continue;
    lines_.push_back({to_.function(f.function, f.file), std::max(f.line, 0)});
  }
  return id = to_.location(mapping_id(*x.location), x.location->address, lines_);
}

uint64_t PprofStacks::unavailable() {
  uint64_t& id = ids_[{nullptr, 0, 0}];
  if (id != 0) return id;
  const PprofBuilder::Line line{to_.function(kStackUnavailable, ""), 0};
  return id = to_.location(0, 0, {&line, 1});
}

}  // namespace weir::profiler::encode
