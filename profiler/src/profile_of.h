// What profiles of a snapshot's goroutines begin with.
#pragma once

#include <weir/profiler/profile.h>
#include <weir/profiler/snapshot.h>

#include <string>

namespace weir::profiler {

// Named as what it counts; with the snapshot's tables, and no samples yet.
inline Profile profile_of(const Snapshot& s, const std::string& name) {
  Profile p;
  p.name = name;
  p.sample_types = {{name, "count"}};
  p.period_type = p.sample_types[0];
  p.time_ns = s.taken_at_ns;
  p.events = true;
  p.symbols.frames = s.frames;
  p.symbols.locations = s.locations;
  p.symbols.mappings = s.mappings;
  p.symbols.stacks = s.stacks;
  return p;
}

}  // namespace weir::profiler
