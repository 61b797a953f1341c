// What an M does on its own stack (g0): finds the next goroutine, sleeps when there is none. Go's
// schedule, findRunnable, wakep.
//
// An M that finds no work spins for a while, that is, looks for it at others' (at most half of the
// busy Ps' Ms do), then gives up its P. One of those without a P sleeps in the network poller,
// until the next timer; all others park (m.h).
#pragma once

#include "runtime2.h"

namespace weir::rt {

// The loop of an M. Entered with M::nextp set; returns when the thread is to end.
void mstart_loop(M* m) noexcept;

// Is there a goroutine to run, in some P's queue or the global one? A moment's answer.
bool work_anywhere() noexcept;

// If some P is idle and nobody looks for work, gets an M to do so. Inside a scope or without a P.
void wakep() noexcept;

// A timer for `when` was added: wakes the M in the poller when it would sleep longer.
void wake_for_timer(int64_t when) noexcept;

// Asks the network, if nobody has for 10 ms: for sysmon.
void poll_if_due(int64_t now) noexcept;

}  // namespace weir::rt
