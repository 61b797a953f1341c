// capture: all goroutines of this process -> Snapshot, without stopping the world.
#pragma once

#include <cstdint>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// How much a capture keeps. For a million goroutines with few distinct stacks:
enum class Detail : uint8_t {
  groups,   // counts, sums and maxima of times: no memory to speak of. Enough for debug=0 and 1
  members,  // and every goroutine: id, parent, name, time, stack bytes; of objects only the network
            // connections waited for. About 60 MB. Enough for debug=2 and 3
  objects,  // and what they wait for, and contexts: JSON, graphs, detectors. About 300 MB where
            // every goroutine waits for an object of its own
};

struct CaptureOptions {
  Detail detail = Detail::objects;
};

// Takes a snapshot of all goroutines and the plain threads that wait in weir. Every goroutine that
// lived throughout the call is in it exactly once, with a stack of one instant. Each parked
// goroutine is held for the microsecond of its own unwinding; no lock of the scheduler is taken;
// running ones are asked by signal, and appear without a stack when they do not answer within 100
// ms. Call it on a plain OS thread; on a goroutine it works by means of a thread of its own, and
// occupies the goroutine's P meanwhile. Several calls at once are safe.
Snapshot capture(const CaptureOptions& options = {});

// What captures have cost since the process started. Times in ns.
struct CaptureStats {
  uint64_t count = 0;            // captures that have ended
  int64_t duration_ns = 0;       // of all together, as Snapshot::duration_ns
  int64_t longest_hold_ns = 0;   // the longest that one goroutine was ever held still
  int64_t last_duration_ns = 0;  // of the last one, as the next
  int64_t last_longest_hold_ns = 0;
};
// Each number is a moment's value. Takes no lock; thread-safe.
CaptureStats capture_stats() noexcept;

}  // namespace weir::profiler
