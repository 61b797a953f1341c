// Semaphores (sema.h).

#include "sema.h"

#include <mutex>

#include "clock.h"
#include "perturb.h"
#include "proc.h"
#include "profiling.h"
#include "tls.h"

namespace weir::rt {

namespace {

// All that wait on a sema are of this kind.
struct waiter : sudog {
  // cputicks() when it began to wait, or when the mutex profile has charged somebody for it last;
  // 0: not measured.
  uint64_t since = 0;
};

// Locks have an owner, whom the mutex profile blames; other waits on a sema do not.
bool is_lock(WaitReason reason) noexcept {
  return reason == WaitReason::mutex_lock || reason == WaitReason::rwmutex_lock ||
         reason == WaitReason::rwmutex_rlock;
}

bool take(sema& s) noexcept {
  uint32_t n = s.permits.load();
  while (static_cast<int32_t>(n) > 0) {  // below zero: a limit was lowered under those who hold it
    if (s.permits.compare_exchange_weak(n, n - 1)) return true;
  }
  return false;
}

}  // namespace

void semacquire(sema& s, bool lifo, WaitReason reason, const void* object) {
  perturb_point();
  if (take(s)) return;
  waiter w;
  w.g = getg();
  for (;;) {
    if (mutex_profiled()) [[unlikely]]
      w.since = is_lock(reason) ? cputicks() : 0;
    s.lock.lock();
    // Announced before the last look at the permits: a releaser who gives one after it sees the
    // waiter.
    s.waiters.fetch_add(1);
    if (take(s)) {
      s.waiters.fetch_sub(1);
      s.lock.unlock();
      return;
    }
    w.handoff = false;
    w.next = w.prev = nullptr;
    if (lifo) {
      w.next = s.head;
      (s.head ? s.head->prev : s.tail) = &w;
      s.head = &w;
    } else {
      w.prev = s.tail;
      (s.tail ? s.tail->next : s.head) = &w;
      s.tail = &w;
    }
    gopark([](G*, void* lock) { static_cast<spin_lock*>(lock)->unlock(); }, &s.lock, reason,
           object);
    if (w.handoff || take(s)) return;
  }
}

namespace {

// For how long `first`, who was taken out of the line, and those behind him have waited, together:
// whoever kept the lock kept all of them. To ask each would take time under the lock, so the first
// and the last, who waited longest and shortest, speak for the others, and are charged from here
// on, so that nothing is counted twice. As Go does it. Under the lock.
[[gnu::noinline]] uint64_t charge(sema& s, const waiter& first) noexcept {
  const uint64_t now = cputicks();
  const uint64_t longest = now > first.since ? now - first.since : 0;
  const uint64_t others = s.waiters.load(std::memory_order_relaxed);
  if (others == 0 || !s.tail) return longest;
  auto& last = *static_cast<waiter*>(s.tail);
  const uint64_t shortest = last.since != 0 && now > last.since ? now - last.since : 0;
  static_cast<waiter*>(s.head)->since = last.since = now;
  return longest + (longest + shortest) / 2 * others;
}

// Gives a permit and takes the first waiter, if any, out of the line. *waited: as charge tells,
// where that is measured.
sudog* give(sema& s, bool handoff, uint64_t* waited) noexcept {
  s.permits.fetch_add(1);
  if (s.waiters.load() == 0) return nullptr;
  std::scoped_lock hold(s.lock);
  sudog* w = s.head;
  if (!w) return nullptr;
  s.head = w->next;
  (s.head ? s.head->prev : s.tail) = nullptr;
  s.waiters.fetch_sub(1);
  if (handoff && take(s)) w->handoff = true;
  if (auto* measured = static_cast<waiter*>(w); measured->since != 0) [[unlikely]] {
    *waited = charge(s, *measured);
  }
  return w;
}

}  // namespace

G* semgive(sema& s) noexcept {
  uint64_t waited;
  sudog* w = give(s, false, &waited);
  return w ? w->g : nullptr;
}

void semrelease(sema& s, bool handoff) {
  uint64_t waited = 0;
  sudog* w = give(s, handoff, &waited);
  if (!w) return;
  // Read before the waiter can run: the sudog is on its stack.
  bool yield = w->handoff;
  goready(w->g);
  // Its turn is now, on this P and in this time slice.
  if (yield) gosched();
  if (waited != 0) [[unlikely]]
    mutex_event(waited);
}

}  // namespace weir::rt
