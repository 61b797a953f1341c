// Timers: a 4-ary min-heap per P, under the P's timers_lock. Goroutines add to the heap of their
// own P; whoever schedules on a P, or steals from it, runs those that are due.
//
// A sleeping goroutine is an entry of its own and costs nothing else: it cannot be stopped. All
// that can be stopped or does more is a `timer`, which knows its place in the heap.
#pragma once

#include "runtime2.h"

namespace weir::rt {

// Owned by whoever armed it. It must not be freed while it is armed or, with `run`, until run was
// called or deltimer returned true.
struct timer {
  // Called when it is due, by whoever runs timers, under the timers_lock of its P: must not block,
  // allocate, wake, or take a lock that anybody holds while calling a function of this file.
  // Goroutines to be made ready are appended to `ready` (linked by schedlink). Null: see run.
  void (*fire)(timer* t, gqueue& ready) noexcept = nullptr;
  // Else this is called, under no lock, inside a scope or on g0, with the `seq` that stood in the
  // timer when it came due. It must not block or park; `self` is the P to work for (may be null).
  // Not for periodic timers. The timer may have been armed again, or deltimer called, meanwhile:
  // seq tells.
  void (*run)(timer* t, uint64_t seq, P* self) noexcept = nullptr;
  uint64_t seq = 0;  // for run; changed by the owner while not armed

  // -- timer.cc's
  int64_t when = 0;               // nanotime
  int64_t period = 0;             // ns; 0: once
  size_t index = 0;               // in the heap of
  std::atomic<P*> home{nullptr};  // null: not armed
};

// Arms t, which must not be armed, for `when` (nanotime, at least 1), and then each `period` ns
// (0: once). From goroutines and plain threads, outside of scopes; no lock may be held that `fire`
// takes.
void addtimer(timer* t, int64_t when, int64_t period) noexcept;
// The same from inside a scope or from gopark's commit, into the heap of p (null: allp[0]'s).
void addtimer_from(P* p, timer* t, int64_t when, int64_t period) noexcept;
// Disarms t. True: it was armed, and will not come due any more. False: it was not armed, or has
// come due (a `fire` is over then; a `run` may be yet to come). Callable from anywhere.
bool deltimer(timer* t) noexcept;

// Armed, for t->when; it may come due at any time. For the owner.
inline bool timer_armed(const timer* t) noexcept {
  return t->home.load(std::memory_order_acquire) != nullptr;
}

// Puts gp to sleep until `when` (nanotime): gp is made ready by then. May be called from gopark's
// commit, so gp is not running. p may be null (plain threads use allp[0]'s heap).
void addsleeper(P* p, int64_t when, G* gp) noexcept;

// Runs all of p's timers that are due at `now`. Returns when the next is due, 0: none. `self` is
// the caller's own P, whose queue the goroutines go to. *ran: at least one was due.
int64_t runtimers(P* p, P* self, int64_t now, bool* ran) noexcept;

// The earliest over all Ps; 0: none.
int64_t next_timer() noexcept;

// Moves p's timers to `to` (p leaves the gomaxprocs range; the world is stopped).
void movetimers(P* p, P* to) noexcept;

}  // namespace weir::rt
