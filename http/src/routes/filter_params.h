// q=, state=, label=, package=, age= and site=: which goroutines are asked for.
#pragma once

#include <weir/profiler/capture.h>
#include <weir/profiler/filter.h>
#include <weir/profiler/snapshot.h>

#include "routes.h"

namespace weir::http {

// Throws profiler::error where one of them is not what it should be.
profiler::Filter filter_of(const Query& q);

// A capture of those that pass: of `detail`, or of more where the filter needs it.
profiler::Snapshot captured(profiler::Detail detail, const profiler::Filter& filter);

}  // namespace weir::http
