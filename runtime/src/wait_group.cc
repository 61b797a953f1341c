// WaitGroup: Go's (sync/waitgroup.go).

#include <weir/wait_group.h>

#include "fatal.h"
#include "proc.h"
#include "runtime2.h"
#include "tls.h"

namespace weir {

void WaitGroup::add_at(int delta, const void* pc) {
  // Recorded first: when the counter reaches zero the WaitGroup may be gone.
  if constexpr (!detail::kRecording) {
  } else if (delta > 0) {
    adds_.fetch_add(static_cast<uint64_t>(delta), std::memory_order_relaxed);
    add_pc_.store(pc, std::memory_order_relaxed);
  } else if (delta < 0) {
    dones_.fetch_add(static_cast<uint64_t>(-static_cast<int64_t>(delta)),
                     std::memory_order_relaxed);
    done_pc_.store(pc, std::memory_order_relaxed);
  }
  uint64_t step = static_cast<uint64_t>(static_cast<int64_t>(delta)) << 32;
  uint64_t now = state_.fetch_add(step, std::memory_order_acq_rel) + step;
  auto counter = static_cast<int32_t>(now >> 32);
  auto waiters = static_cast<uint32_t>(now);
  if (counter < 0) rt::fatal_panic("sync: negative WaitGroup counter");
  if (waiters != 0 && delta > 0 && counter == delta) {
    rt::fatal_panic("sync: WaitGroup misuse: Add called concurrently with Wait");
  }
  if (counter > 0 || waiters == 0) return;
  // The counter is zero and somebody waits: the line is taken out as a whole. A waiter that runs
  // may destroy the WaitGroup, so nothing of it is touched once the lock is free.
  rt::gqueue woken;
  sema_.lock.lock();
  if (!state_.compare_exchange_strong(now, 0, std::memory_order_acq_rel)) {
    sema_.lock.unlock();
    rt::fatal_panic("sync: WaitGroup misuse: Add called concurrently with Wait");
  }
  for (rt::sudog* w = sema_.head; w; w = w->next) woken.push_back(w->g);
  sema_.head = sema_.tail = nullptr;
  sema_.lock.unlock();
  rt::goready_all(woken);
}

void WaitGroup::wait_slow() {
  if (state_.load(std::memory_order_acquire) >> 32 == 0) return;
  // The count of waiters and the line change together, under the lock.
  sema_.lock.lock();
  uint64_t state = state_.load(std::memory_order_acquire);
  do {
    if (state >> 32 == 0) {
      sema_.lock.unlock();
      return;
    }
  } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
  rt::sudog w;
  w.g = rt::getg();
  w.prev = sema_.tail;
  (sema_.tail ? sema_.tail->next : sema_.head) = &w;
  sema_.tail = &w;
  rt::gopark([](rt::G*, void* lock) { static_cast<rt::spin_lock*>(lock)->unlock(); }, &sema_.lock,
             rt::WaitReason::waitgroup_wait, this);
}

}  // namespace weir
