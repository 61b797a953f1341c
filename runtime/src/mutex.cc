// Mutex: Go's algorithm of normal and starvation mode (sync/mutex.go), with an owner.
//
// Normal mode: waiters queue in order, but one that is woken competes with newcomers, who are many
// and already running; that is fast. One that has waited over 1 ms switches the mutex to starvation
// mode: unlock hands it over to the first in line, and newcomers queue. The last waiter, or one
// that waited less than 1 ms, switches back.

#include <weir/mutex.h>

#include <string>

#include "clock.h"
#include "fatal.h"
#include "runq.h"
#include "runtime2.h"
#include "sema.h"
#include "tls.h"

namespace weir {

namespace {

constexpr int64_t kStarvationNs = 1'000'000;

// Spinning pays when the holder runs on another processor and nobody else could use this one.
bool can_spin(int round) noexcept {
  if (round >= 4) return false;
  rt::M* m = rt::getg()->m.load(std::memory_order_relaxed);
  if (!m) return false;
  int procs = rt::sched.gomaxprocs.load(std::memory_order_relaxed);
  int others = procs - rt::sched.npidle.load(std::memory_order_relaxed) -
               rt::sched.nmspinning.load(std::memory_order_relaxed) - 1;
  if (procs <= 1 || others <= 0) return false;
  rt::P* p = m->p.load(std::memory_order_relaxed);
  return p && rt::runqempty(p);
}

}  // namespace

void Mutex::lock_slow() {
  int64_t waiting_since = 0;
  bool starving = false, awoke = false;
  int round = 0;
  int32_t old = state_.load(std::memory_order_relaxed);
  for (;;) {
    if ((old & (kLocked | kStarving)) == kLocked && can_spin(round)) {
      // While we spin, unlock need not wake anybody else.
      if (!awoke && !(old & kWoken) && old >> kWaiterShift != 0 &&
          state_.compare_exchange_strong(old, old | kWoken, std::memory_order_relaxed)) {
        awoke = true;
      }
      for (int i = 0; i < 30; i++) rt::cpu_pause();
      round++;
      old = state_.load(std::memory_order_relaxed);
      continue;
    }
    int32_t next = old;
    if (!(old & kStarving)) next |= kLocked;
    if (old & (kLocked | kStarving)) next += 1 << kWaiterShift;
    if (starving && (old & kLocked)) next |= kStarving;
    if (awoke) next &= ~kWoken;
    if (!state_.compare_exchange_strong(old, next, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      continue;
    }
    if (!(old & (kLocked | kStarving))) return;  // locked it
    bool again = waiting_since != 0;
    if (!again) waiting_since = rt::nanotime();
    rt::semacquire(sema_, again, rt::WaitReason::mutex_lock, this);
    starving = starving || rt::nanotime() - waiting_since > kStarvationNs;
    old = state_.load(std::memory_order_relaxed);
    if (old & kStarving) {
      // Handed over: it is ours, but the state says neither so nor that we no longer wait.
      int32_t delta = kLocked - (1 << kWaiterShift);
      if (!starving || old >> kWaiterShift == 1) delta -= kStarving;
      state_.fetch_add(delta, std::memory_order_acquire);
      return;
    }
    awoke = true;
    round = 0;
  }
}

bool Mutex::try_lock_slow() noexcept {
  int32_t old = state_.load(std::memory_order_relaxed);
  if (old & (kLocked | kStarving)) return false;
  return state_.compare_exchange_strong(old, old | kLocked, std::memory_order_acquire,
                                        std::memory_order_relaxed);
}

void Mutex::unlock_slow(int32_t left) {
  if (left & kStarving) {
    rt::semrelease(sema_, /*handoff=*/true);
    return;
  }
  int32_t old = left;
  for (;;) {
    // Nobody waits, or somebody is awake or has the lock already: nothing to do.
    if (old >> kWaiterShift == 0 || old & (kLocked | kWoken | kStarving)) return;
    int32_t next = (old - (1 << kWaiterShift)) | kWoken;
    if (state_.compare_exchange_weak(old, next, std::memory_order_relaxed)) {
      rt::semrelease(sema_, /*handoff=*/false);
      return;
    }
  }
}

void Mutex::misuse() {
  uint64_t owner = owner_.load(std::memory_order_relaxed);
  if (owner == 0) rt::fatal_error("sync: unlock of unlocked mutex");
  rt::begin_death();
  rt::raw_print("fatal error: sync: unlock of a mutex by goroutine ");
  rt::raw_print_u64(rt::self_goid());
  rt::raw_print(" that was locked by goroutine ");
  rt::raw_print_u64(owner);
  rt::raw_print("\n\n");
  rt::dump_and_exit();
}

}  // namespace weir
