// Causes: what the wait records of one snapshot tell of its sites: what is proven, and what each
// site's goroutines wait for in words. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <weir/profiler/finding.h>
#include <weir/profiler/sites.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler::causes {

// How much a wait of this pattern says by itself.
enum class Suspicion : uint8_t {
  healthy,  // never a leak: the runtime's own, an accepting listener, who runs for a moment
  weak,     // long waits are usual here: growth alone may make it suspect (IO wait, system calls)
  plain,    // growth makes it likely; age says nothing: workers wait for work, loops for ticks
  strong,   // growth makes it likely, and age alone suspect: nobody else seems to have the channel,
            // its timer is stopped, http bodies, forgotten contexts, who runs without an end
};

// The proven ones, one Finding for each site and kind, with certainty `certain`: nil channels,
// selects without cases, locks whose owner has exited, cycles of locks, who waits behind any of
// these, and what Go's goroutineleak profile has proved. `count`, `goids`, `stack` are of the
// proven goroutines only; each is in one Finding. A cycle is at the site of its smallest goid.
std::vector<Finding> proven(const Snapshot& s, const Sites& sites);

struct Description {
  Finding finding;  // certainty suspect, all but growth and times filled
  Suspicion suspicion = Suspicion::plain;
};
// Do goroutines that have nothing to do wait like this? Nobody is idle in a send, or for a lock.
bool may_idle(Kind kind);
// All goroutines of a site.
Description describe(const Snapshot& s, const Site& site);
// Suspicion alone, without the cost of words: for all sites of each sample. Looks at a few of the
// site's goroutines.
Suspicion suspicion(const Snapshot& s, const Site& site);

// What the snapshot shows beside its goroutines: forgotten contexts that some wait for. Sentences.
std::vector<std::string> notes(const Snapshot& s);

}  // namespace weir::profiler::causes
