// Reads unwind rules out of the call frame information of this process's loaded objects, by libdw.
// Called by rules.cc alone, under its lock.
#pragma once

#include <cstdint>

#include "rules.h"

namespace weir::profiler::cfi {

// The rule for `pc`; Rule::cannot() where there is none. Sets `unloaded` when it noticed that
// objects have been unloaded: older rules may be wrong now.
Rule read_rule(uintptr_t pc, bool& unloaded);

// True: objects have been unloaded since the last call of either function.
bool refresh();

}  // namespace weir::profiler::cfi
