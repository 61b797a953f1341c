// Contexts that nobody can cancel any more, in evidence and notes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::profiler::causes {

// A snapshot tells how many goroutines are in waits that contexts can end, not which contexts.
// Where all of these are forgotten, each such wait is one that only a parent context may end.
bool all_contexts_forgotten(const Snapshot& s);

// A sentence for each place that made forgotten contexts for which goroutines wait, a few at most.
std::vector<std::string> forgotten_contexts(const Snapshot& s);

}  // namespace weir::profiler::causes
