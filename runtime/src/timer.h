// Timers: a 4-ary min-heap per P, under the P's timers_lock. Goroutines add to the heap of their
// own P; whoever schedules on a P, or steals from it, runs those that are due.
#pragma once

#include "runtime2.h"

namespace weir::rt {

// Puts gp to sleep until `when` (nanotime): gp is made ready by then. May be called from gopark's
// commit, so gp is not running. p may be null (plain threads use allp[0]'s heap).
void addtimer(P* p, int64_t when, G* gp) noexcept;

// Makes ready all goroutines of p's timers that are due at `now`. Returns when the next is due, 0:
// none. `self` is the caller's own P, whose queue they go to. *ran: at least one was made ready.
int64_t runtimers(P* p, P* self, int64_t now, bool* ran) noexcept;

// The earliest over all Ps; 0: none.
int64_t next_timer() noexcept;

// Moves p's timers to `to` (p leaves the gomaxprocs range; the world is stopped).
void movetimers(P* p, P* to) noexcept;

}  // namespace weir::rt
