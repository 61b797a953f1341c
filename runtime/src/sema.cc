// Semaphores (sema.h).

#include "sema.h"

#include "proc.h"
#include "tls.h"

namespace weir::rt {

namespace {

bool take(sema& s) noexcept {
  uint32_t n = s.permits.load();
  while (n > 0) {
    if (s.permits.compare_exchange_weak(n, n - 1)) return true;
  }
  return false;
}

}  // namespace

void semacquire(sema& s, bool lifo, WaitReason reason, const void* object) {
  if (take(s)) return;
  sudog w;
  w.g = getg();
  for (;;) {
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

void semrelease(sema& s, bool handoff) {
  s.permits.fetch_add(1);
  if (s.waiters.load() == 0) return;
  s.lock.lock();
  sudog* w = s.head;
  if (!w) {
    s.lock.unlock();
    return;
  }
  s.head = w->next;
  (s.head ? s.head->prev : s.tail) = nullptr;
  s.waiters.fetch_sub(1);
  if (handoff && take(s)) w->handoff = true;
  G* gp = w->g;
  bool yield = w->handoff;
  s.lock.unlock();
  goready(gp);
  // Its turn is now, on this P and in this time slice.
  if (yield) gosched();
}

}  // namespace weir::rt
