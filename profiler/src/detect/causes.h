// Causes: what the wait records of one snapshot tell of its sites: what is proven, and what each
// site's goroutines wait for in words. Pure functions.
#pragma once

#include <vector>

#include <weir/profiler/finding.h>
#include <weir/profiler/sites.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler::causes {

// How much a wait of this pattern says by itself.
enum class Suspicion : uint8_t {
  healthy,  // never a leak: the runtime's own, a timer that will fire, an accepting listener
  weak,     // long waits are usual here: growth alone may make it suspect (IO wait, system calls)
  plain,    // growth makes it likely; age says nothing: workers wait for work
  strong,   // growth makes it likely, and age alone suspect: nobody else can reach the channel,
            // http bodies, Add and Done that do not match, forgotten contexts
};

// The proven ones, one Finding for each site and kind, with certainty `certain`: nil channels,
// selects without cases, locks whose owner has exited, cycles of locks and who waits behind them,
// everything asleep. `count`, `goids`, `stack` are of the proven goroutines only.
std::vector<Finding> proven(const Snapshot& s, const Sites& sites);

struct Description {
  Finding finding;  // certainty suspect, all but growth and times filled
  Suspicion suspicion = Suspicion::plain;
};
// All goroutines of a site.
Description describe(const Snapshot& s, const Site& site);
// Suspicion alone, without the cost of words: for all sites of each sample.
Suspicion suspicion(const Snapshot& s, const Site& site);

}  // namespace weir::profiler::causes
