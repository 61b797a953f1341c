// Semaphores (sema.h).

#include "sema.h"

#include <mutex>

#include "perturb.h"
#include "proc.h"
#include "tls.h"

namespace weir::rt {

namespace {

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

namespace {

// Gives a permit and takes the first waiter, if any, out of the line.
sudog* give(sema& s, bool handoff) noexcept {
  s.permits.fetch_add(1);
  if (s.waiters.load() == 0) return nullptr;
  std::scoped_lock hold(s.lock);
  sudog* w = s.head;
  if (!w) return nullptr;
  s.head = w->next;
  (s.head ? s.head->prev : s.tail) = nullptr;
  s.waiters.fetch_sub(1);
  if (handoff && take(s)) w->handoff = true;
  return w;
}

}  // namespace

G* semgive(sema& s) noexcept {
  sudog* w = give(s, false);
  return w ? w->g : nullptr;
}

void semrelease(sema& s, bool handoff) {
  sudog* w = give(s, handoff);
  if (!w) return;
  // Read before the waiter can run: the sudog is on its stack.
  bool yield = w->handoff;
  goready(w->g);
  // Its turn is now, on this P and in this time slice.
  if (yield) gosched();
}

}  // namespace weir::rt
