// gather: all goroutines, one after the other, into a SnapshotBuilder; by several threads where
// there are many goroutines and idle processors.
#pragma once

#include <cstdint>

#include <weir/profiler/capture.h>

#include "probe.h"
#include "snapshot_builder.h"

namespace weir::profiler {

// Every slot is looked at once. `context` has the longest hold of all threads afterwards.
void gather(SnapshotBuilder& builder, ProbeContext& context, Probe& buffer, Detail detail);

}  // namespace weir::profiler
