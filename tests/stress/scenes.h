// Scenes of the stress tests: each starts goroutines, joins them and checks its own arithmetic, so
// a lost or doubled wake-up, value or unlock shows as a wrong sum, a Tracked that is left, or a
// hang.
#pragma once

#include "stress_util.h"

namespace weir::testing {

// Something that may let others run, or not.
void dither(Random& random);

// Channels, select, locks, exceptions, plain threads, sleep (scenes_core.cc).
void play_core(Random& random);
// Contexts and the waits that they end, Cond, Semaphore, TaskGroup (scenes_sync.cc).
void play_sync(Random& random);
// Blocking calls, locked threads, timers, the network (scenes_services.cc).
void play_services(Random& random);

}  // namespace weir::testing
