// Blocking calls: a goroutine that is in one keeps its OS thread, and sysmon gives its P to others.
// Go's entersyscall, exitsyscall.
//
// Most calls are over soon, so entersyscall only notes the fact (Gsyscall, P::insyscall), and
// sysmon takes the P, as from a goroutine that runs too long, by retake (m.h): the M is outside of
// every scope meanwhile. Where the last call was long (P::calls_are_long) and others wait, the P is
// handed over at once. exitsyscall goes on with the P where it is still there, else with an idle
// one, else in line for one.
//
// So that 10 000 blocking calls at once are not 10 000 threads, only so many are under way at a
// time (Options::max_blocking); further goroutines wait in line ("semacquire"). Calls that wait for
// each other must not hang by that: when nobody in line got a turn for 10 ms, sysmon admits one
// more.
#pragma once

#include "runtime2.h"

namespace weir::rt {

// Sets how many blocking calls may be under way, between runs.
void set_max_blocking(int n) noexcept;
// sysmon, at `now`: admits one more when the line stands still.
void grow_blocking(int64_t now) noexcept;
// Blocking calls under way, and goroutines in line.
int blocking_now() noexcept;
int blocking_line() noexcept;

// The calling goroutine is no longer in its blocking call. Inside a scope, with p or without.
void leave_syscall(P* p, G* gp) noexcept;
// The call's turn goes to the next in line. Inside a scope; never blocks.
void give_turn_back(P* p) noexcept;

}  // namespace weir::rt
