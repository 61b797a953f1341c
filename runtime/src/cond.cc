// Cond (<weir/cond.h>).
//
// A waiter gets in line before it unlocks the caller's lock, so no signal is missed and the order
// is that of the calls of wait; only after that can it park. Whoever signals one that has not
// parked yet leaves word in `success`. (Go gives out tickets instead, and searches the line for
// them.)

#include <weir/cond.h>
#include <weir/context.h>

#include <mutex>

#include "cancel.h"
#include "perturb.h"
#include "proc.h"
#include "runtime2.h"
#include "tls.h"
#include "waitq.h"

namespace weir {

namespace {

struct Waiter : rt::sudog {
  bool parked = false;
};

// Tells a waiter that was taken out of the line. Its goroutine, if that must be made ready.
rt::G* notify(rt::sudog* s) noexcept {
  s->success = true;
  return static_cast<Waiter*>(s)->parked ? s->g : nullptr;
}

}  // namespace

bool Cond::wait_on(const Context* ctx, void* lock, const detail::lock_ops& ops) {
  if (ctx && ctx->err()) return false;
  Waiter w;
  w.g = rt::getg();
  {
    std::scoped_lock hold(spin_);
    line_.enqueue(&w);
    rt::count(waiters_);
  }
  try {
    ops.unlock(lock);
  } catch (...) {
    if (!leave(&w)) signal_one();  // it was signalled: pass it on
    throw;
  }
  rt::perturb_point();
  bool woken = park(ctx, &w);
  ops.lock(lock);
  return woken;
}

bool Cond::park(const Context* ctx, rt::sudog* w) {
  rt::cancellable_park wait(ctx);
  // From here on select_done decides; before, the line does.
  if (!wait.lock()) return !leave(w);
  spin_.lock();
  if (w->success) {
    spin_.unlock();
    wait.unlock();
    return true;
  }
  static_cast<Waiter*>(w)->parked = true;
  if (wait.park(w, rt::unlock_spin, &spin_, rt::WaitReason::cond_wait, this)) return true;
  // It is in the line still, or was passed over.
  std::scoped_lock hold(spin_);
  if (line_.contains(w)) line_.remove(w);
  rt::count(waiters_, ~uint32_t{0});
  return false;
}

// Before the park. False: it is in the line no more, since it was signalled.

bool Cond::leave(rt::sudog* w) noexcept {
  std::scoped_lock hold(spin_);
  if (!line_.contains(w)) return false;
  line_.remove(w);
  rt::count(waiters_, ~uint32_t{0});
  return true;
}

void Cond::signal_at(const void* pc) {
  signals_.fetch_add(1, std::memory_order_relaxed);
  signal_pc_.store(pc, std::memory_order_relaxed);
  signal_one();
}

void Cond::signal_one() {
  // Who began to wait before the change that is announced was made is seen here: both are under the
  // caller's lock.
  if (waiters_.load(std::memory_order_acquire) == 0) return;
  rt::G* wake = nullptr;
  {
    std::scoped_lock hold(spin_);
    if (rt::sudog* s = line_.dequeue()) {
      rt::count(waiters_, ~uint32_t{0});
      wake = notify(s);
    }
  }
  if (wake) rt::goready(wake);
}

void Cond::broadcast_at(const void* pc) {
  signals_.fetch_add(1, std::memory_order_relaxed);
  signal_pc_.store(pc, std::memory_order_relaxed);
  if (waiters_.load(std::memory_order_acquire) == 0) return;
  rt::gqueue woken;
  {
    std::scoped_lock hold(spin_);
    while (rt::sudog* s = line_.dequeue()) {
      rt::count(waiters_, ~uint32_t{0});
      if (rt::G* gp = notify(s)) woken.push_back(gp);
    }
  }
  rt::goready_all(woken);
}

}  // namespace weir
