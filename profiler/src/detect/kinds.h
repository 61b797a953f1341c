// Kinds: what a group of goroutines waits for, in the words of Finding.
#pragma once

#include <string_view>
#include <vector>

#include <weir/profiler/finding.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler::causes {

// By wait reason, kind of object and, where these do not tell, functions. What is not told at all
// counts as a select: it waits for something.
Kind kind_of(const Snapshot& s, const Group& g);

// The functions of its stack, innermost first, the runtime's among them.
std::vector<std::string_view> functions_of(const Snapshot& s, const Group& g);

// A context can end the wait, too: the runtime's frame tells.
bool is_cancellable(const Snapshot& s, const Group& g);

}  // namespace weir::profiler::causes
