// capture: all goroutines of this process -> Snapshot, without stopping the world.
#pragma once

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

struct CaptureOptions {
  bool contexts = true;  // look at contexts, too: takes the locks of their registry, briefly
};

// Takes a snapshot of all goroutines and the plain threads that wait in weir. Every goroutine that
// lived throughout the call is in it exactly once, with a stack of one instant. Each parked
// goroutine is held for the microsecond of its own unwinding; no lock of the scheduler is taken;
// running ones are asked by signal, and appear without a stack when they do not answer within 100
// ms. Call it on a plain OS thread; on a goroutine it works by means of a thread of its own, and
// occupies the goroutine's P meanwhile. Several calls at once are safe.
Snapshot capture(const CaptureOptions& options = {});

}  // namespace weir::profiler
