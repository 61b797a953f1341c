// Run queues: P's ring of 256 with runnext, and the global queue. Go's runqput, runqget, runqgrab.
//
// The ring: only the owner of the P puts (at the tail), owner and thieves take (at the head, by
// CAS). A store-release of the tail publishes a slot; a CAS-release of the head gives it back.
#pragma once

#include "runtime2.h"

namespace weir::rt {

// Owner. Puts gp at the tail, or, with next, in runnext, whose former G goes to the tail. When the
// ring is full, half of it goes to the global queue.
void runqput(P* p, G* gp, bool next) noexcept;
// Owner. runnext, then the head. *inherit: it came from runnext and shares the time slice.
G* runqget(P* p, bool* inherit) noexcept;
// Owner. The end of a turn for goroutines that wake each other by runnext: the ring's come first
// now.
void runqkicknext(P* p) noexcept;
// Anybody. Momentarily true.
bool runqempty(const P* p) noexcept;
uint32_t runqlen(const P* p) noexcept;
// Owner of p. Moves half (rounded up) of victim's ring to p's and returns one of them; with
// steal_next and an empty ring, takes victim's runnext.
G* runqsteal(P* p, P* victim, bool steal_next) noexcept;
// Owner. Moves everything to the global queue; sched.lock held.
void runqdrain(P* p) noexcept;

// sched.lock held.
void globrunqput(G* gp) noexcept;
void globrunqputbatch(gqueue batch) noexcept;
// Takes the first, and a fair share more (at most max, when max > 0) into p's ring. sched.lock
// held.
G* globrunqget(P* p, uint32_t max) noexcept;

}  // namespace weir::rt
