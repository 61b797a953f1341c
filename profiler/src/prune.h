// prune: the tables of a Snapshot without the rows that nothing refers to any more.
#pragma once

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// After groups or members were taken away. What stays keeps its order; indexes that pointed nowhere
// still do.
void prune(Snapshot& s);

}  // namespace weir::profiler
