// Fleet: many instances of one service, compared: where very many goroutines are blocked in at
// least one of them, and where it weighs most in all. LeakProf's rule (Saioc et al., CGO 2024): it
// needs one snapshot of each, no history, and no ids.
//
// Pure functions over Snapshots; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <weir/profiler/sites.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler {

struct FleetOptions {
  // So many goroutines at one site of one instance. LeakProf's: fewer are pools and load in
  // practice.
  uint64_t threshold = 10'000;
};

// One site over all instances.
struct FleetSite {
  uint64_t site = 0;
  SiteNames names;
  double rms = 0;        // root mean square of its goroutines, over all instances that were given
  uint64_t total = 0;    // goroutines, in all of them
  uint64_t most = 0;     // in one of them,
  size_t most_in = 0;    // which is this one: an index into the instances
  size_t instances = 0;  // in which it is met
};

// The sites that reach the threshold, the largest root mean square first: few instances with very
// many goroutines weigh more than many with some. Sites whose waits are never leaks (accepting
// listeners, the runtime's own) are left out, as are those that do not wait.
std::vector<FleetSite> compare_fleet(std::span<const Snapshot> instances,
                                     const FleetOptions& options = {});

}  // namespace weir::profiler
