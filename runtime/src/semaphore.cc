// Semaphore (<weir/semaphore.h>).
//
// Invariant, whenever the lock is free: the first in line, if any, wants more than is free. So
// nobody may take units past a line that is not empty.

#include <weir/panic.h>
#include <weir/semaphore.h>

#include <mutex>

#include "cancel.h"
#include "perturb.h"
#include "proc.h"
#include "runtime2.h"
#include "tls.h"
#include "waitq.h"

namespace weir {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

struct Waiter : rt::sudog {
  size_t n = 0;
};

}  // namespace

// Under the lock.
bool Semaphore::take(size_t n) noexcept {
  size_t taken = taken_.load(kRelaxed);
  if (n > size_ - taken) return false;
  taken_.store(taken + n, kRelaxed);
  return true;
}

bool Semaphore::try_acquire(size_t n) noexcept {
  std::scoped_lock hold(spin_);
  return !line_.first && take(n);
}

bool Semaphore::acquire_slow(const Context* ctx, size_t n) {
  rt::perturb_point();
  if (n > size_) throw panic_error("semaphore: acquire of more than its size");
  rt::cancellable_park wait(ctx);
  if (wait.cancelled()) return false;
  if (try_acquire(n)) return true;
  if (!wait.lock()) return false;
  spin_.lock();
  if (!line_.first && take(n)) {
    spin_.unlock();
    wait.unlock();
    return true;
  }
  Waiter w;
  w.g = rt::getg();
  w.n = n;
  line_.enqueue(&w);
  rt::count(waiters_);
  if (wait.park(&w, rt::unlock_spin, &spin_, rt::WaitReason::semacquire, this)) return true;
  rt::gqueue woken;
  {
    std::scoped_lock hold(spin_);
    if (line_.contains(&w)) line_.remove(&w);
    rt::count(waiters_, ~uint32_t{0});
    grant(woken);  // it may have been the one that was in the way
  }
  rt::goready_all(woken);
  return false;
}

void Semaphore::grant(rt::gqueue& woken) noexcept {
  while (auto* w = static_cast<Waiter*>(line_.first.load(std::memory_order_relaxed))) {
    if (w->n > size_ - taken_.load(kRelaxed)) break;
    line_.remove(w);
    if (!rt::claim(w)) continue;
    rt::count(waiters_, ~uint32_t{0});
    take(w->n);
    woken.push_back(w->g);
  }
}

void Semaphore::release_at(size_t n, const void* pc) {
  rt::gqueue woken;
  spin_.lock();
  size_t taken = taken_.load(kRelaxed);
  if (n > taken) {
    spin_.unlock();
    throw panic_error("semaphore: released more than held");
  }
  taken_.store(taken - n, kRelaxed);
  rt::record(releases_);
  release_pc_.store(pc, kRelaxed);
  grant(woken);
  spin_.unlock();
  rt::goready_all(woken);
}

}  // namespace weir
