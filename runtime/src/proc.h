// The scheduler's verbs: make, park, ready, yield, exit. Go's proc.go.
//
// Parking and waking, in one paragraph. A goroutine that blocks calls gopark. The M picks the next
// goroutine and switches to it directly, or to g0 when there is nothing at hand. Only then, on the
// other stack, is the parking completed (finish_switch): the state becomes Gwaiting and `commit`
// runs, which makes the goroutine reachable for wakers, as a rule by unlocking the lock under which
// it was queued. So nobody can wake a goroutine whose registers are not saved yet. goready puts it
// into runnext of the waker's P and, if some P is idle and no M is spinning, wakes an M to look for
// work (wakep). An M that finds no work spins for a while (at most half of the busy Ps), then gives
// up its P and parks; the last one to stop spinning looks everywhere once more, so that work which
// was put meanwhile is not lost.
#pragma once

#include "runtime2.h"
#include "scope.h"
#include "tls.h"

namespace weir::rt {

struct origin;

// Blocks the caller until goready. `commit(gp, arg)` runs when gp may be woken, on another stack,
// inside a scope: it must not block, allocate or park. Also for plain threads. No scope, no
// spin_lock may be held but the one that commit releases.
void gopark(void (*commit)(G* gp, void* arg), void* arg, WaitReason reason, const void* waitobj,
            uint32_t waitobj_count = 0);

// Makes a waiting goroutine runnable, next on this P; a waiting thread is woken. No spin_lock may
// be held: when the caller has lost its P it gets in line for another one here.
void goready(G* gp);

// goready from inside a scope, on behalf of P p (null: none): to runnext or to the tail. Never
// blocks.
void ready_from(P* p, G* gp, bool next) noexcept;

// Makes a goroutine that runs fn with a closure moved from `closure` and queues it. Returns its
// goid. gopc: the place of the go call. main: run()'s goroutine.
uint64_t newproc1(const detail::func& fn, void* closure, const GoOptions& options, const void* gopc,
                  bool main);

// The same from inside a scope or on g0, on behalf of P p (null: none), with a closure whose move
// cannot throw; for `by`. Never blocks; out of memory is fatal.
void newproc_from(P* p, const detail::func& fn, void* closure, const origin& by) noexcept;

// Ends the calling goroutine at the bottom of its stack.
[[noreturn]] void goexit0() noexcept;

// Changes a state of a G that the caller owns but the profiler may hold, or sysmon trim: waits
// until the scan bit is clear and the stack trimmed.
void casgstatus(G* gp, uint32_t from, uint32_t to) noexcept;

// For a goroutine whose P was taken away, inside its scope: takes an idle P, or gets in line for
// one. Returns inside a scope, with a P unless it had to wait (then outside of one, with null).
P* regain_p(M* m, G* gp) noexcept;

// Calls step(P*), which is what a scope may be, until it returns false: in as few scopes as leave a
// P that is wanted elsewhere free in between. Null: there is no P. Only at the end does the caller,
// where its P was taken away, get in line for another one.
template <class Step>
void run_in_scopes(Step step) {
  constexpr int kStepsOfAScope = 100;
  G* self = getg();
  M* m = self->m.load(std::memory_order_relaxed);
  if (m == nullptr) {
    while (step(nullptr)) {
    }
    return;
  }
  P* p = enter_runtime(m);
  for (int n = 1; step(p); n++) {
    if (n % kStepsOfAScope != 0) continue;
    leave_runtime(m);
    p = enter_runtime(m);
  }
  if (p || regain_p(m, self)) leave_runtime(m);
}

// Makes all of a queue ready, in order. (They wait, so their schedlink was free to link them.)
void goready_all(gqueue gs);

// Runs gp, which was taken off its queue, on the calling M, which has a P and is on g0. Returns
// when some goroutine has switched back to g0. inherit: gp goes on in the present time slice.
void execute(M* m, G* gp, bool inherit) noexcept;

}  // namespace weir::rt
