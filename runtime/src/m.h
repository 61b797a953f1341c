// Ms and Ps: threads, who has which P, stopping the world.
#pragma once

#include "runtime2.h"

namespace weir::rt {

// Wires the P to the calling M, and apart. The M is inside a scope.
void acquirep(M* m, P* p) noexcept;
P* releasep(M* m) noexcept;

// The idle list of Ps. sched.lock held.
void pidleput(P* p) noexcept;
P* pidleget() noexcept;

// Takes an idle P for an M that looks for one; null: none. sched.lock not held.
P* take_idle_p() noexcept;

// Gives p to a parked or a new M. spinning: the caller has counted it in nmspinning. sched.lock not
// held.
void startm(P* p, bool spinning) noexcept;
// Parks the calling M, which has no P, until startm; then it has one. False: nobody needed it for
// long, its thread is to end.
bool stopm(M* m) noexcept;
// Finds a new owner for a P that was taken away, or makes it idle. The caller owns p.
void handoffp(P* p) noexcept;
// The world is to stop: gives up the P and parks. The M has a P. As stopm.
bool gcstopm(M* m) noexcept;

// Takes p away from an M that runs user code; false: it could not be taken now. The caller owns p
// then.
bool retake(P* p) noexcept;

// Stops all goroutines (those that run user code go on, without a P, until their next runtime
// call), with the Ps in the state Pgcstop; and starts them again. One at a time; not from a
// goroutine.
void stop_the_world() noexcept;
void start_the_world() noexcept;

// Makes allp[id].
void newp(int id);
// Sets the number of Ps. The world is stopped, or was never started.
void procresize(int n);

// Everything asleep: dies if that is certain. sched.lock held; returns with it held.
void checkdead() noexcept;

}  // namespace weir::rt
