// Reads unwind rules out of the call frame information of loaded objects, by libdw. Called by
// rules.cc alone, under its lock.
#pragma once

#include <cstdint>

#include "module_set.h"
#include "rules.h"

namespace weir::profiler::cfi {

// The rule for `pc`; Rule::cannot() where there is none. Sets `unloaded` when it noticed that
// objects have been unloaded: older rules may be wrong now.
Rule read_rule(ModuleSet& modules, uintptr_t pc, bool& unloaded);

}  // namespace weir::profiler::cfi
