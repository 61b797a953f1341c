// WaitGroup: Go's (sync/waitgroup.go).

#include <weir/wait_group.h>

#include "cancel.h"
#include "fatal.h"
#include "perturb.h"
#include "proc.h"
#include "runtime2.h"
#include "tls.h"
#include "waitq.h"

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
  spin_.lock();
  if (!state_.compare_exchange_strong(now, 0, std::memory_order_acq_rel)) {
    spin_.unlock();
    rt::fatal_panic("sync: WaitGroup misuse: Add called concurrently with Wait");
  }
  while (rt::sudog* w = line_.dequeue()) woken.push_back(w->g);
  spin_.unlock();
  rt::goready_all(woken);
}

bool WaitGroup::wait_slow(const Context* ctx) {
  rt::perturb_point();
  rt::cancellable_park wait(ctx);
  if (wait.cancelled()) return false;
  if (state_.load(std::memory_order_acquire) >> 32 == 0) return true;
  if (!wait.lock()) return false;
  // The count of waiters and the line change together, under the lock.
  spin_.lock();
  uint64_t state = state_.load(std::memory_order_acquire);
  do {
    if (state >> 32 == 0) {
      spin_.unlock();
      wait.unlock();
      return true;
    }
  } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
  rt::sudog w;
  w.g = rt::getg();
  line_.enqueue(&w);
  if (wait.park(&w, rt::unlock_spin, &spin_, rt::WaitReason::waitgroup_wait, this)) return true;
  // Cancelled; but if the counter has reached zero since, it is too late for that.
  spin_.lock();
  if (!line_.contains(&w)) {
    spin_.unlock();
    return true;
  }
  state = state_.load(std::memory_order_acquire);
  do {
    if (state >> 32 == 0) {
      // The one who brought it there is about to take the line out. The caller must not go on, and
      // destroy the WaitGroup, before.
      w.is_select = false;
      rt::gopark(rt::unlock_spin, &spin_, rt::WaitReason::waitgroup_wait, this);
      return true;
    }
  } while (!state_.compare_exchange_weak(state, state - 1, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
  line_.remove(&w);
  spin_.unlock();
  return false;
}

}  // namespace weir
