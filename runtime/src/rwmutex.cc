// RWMutex: Go's algorithm (sync/rwmutex.go). A writer first takes w_, then subtracts kMaxReaders
// from the count of readers, which keeps new readers out, and waits for those that were in.

#include <weir/rwmutex.h>

#include "fatal.h"
#include "runtime2.h"
#include "sema.h"

namespace weir {

void RWMutex::rlock(const void* pc) {
  if (reader_count_.fetch_add(1, std::memory_order_acquire) + 1 < 0) {
    rt::semacquire(reader_sem_, false, rt::WaitReason::rwmutex_rlock, this);
  }
  if constexpr (detail::kRecording) rlock_pc_.store(pc, std::memory_order_relaxed);
}

bool RWMutex::try_rlock(const void* pc) noexcept {
  int32_t n = reader_count_.load(std::memory_order_relaxed);
  while (n >= 0) {
    if (reader_count_.compare_exchange_weak(n, n + 1, std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
      rlock_pc_.store(pc, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

void RWMutex::runlock() {
  int32_t n = reader_count_.fetch_sub(1, std::memory_order_acq_rel) - 1;
  if (n >= 0) return;
  if (n + 1 == 0 || n + 1 == -kMaxReaders) rt::fatal_error("sync: RUnlock of unlocked RWMutex");
  // A writer waits; the last of the readers that it waits for wakes it.
  if (reader_wait_.fetch_sub(1, std::memory_order_acq_rel) == 1) rt::semrelease(writer_sem_, false);
}

void RWMutex::wlock(const void* pc) {
  w_.lock();
  int32_t readers = reader_count_.fetch_sub(kMaxReaders, std::memory_order_acq_rel);
  if (readers != 0 && reader_wait_.fetch_add(readers, std::memory_order_acq_rel) + readers != 0) {
    rt::semacquire(writer_sem_, false, rt::WaitReason::rwmutex_lock, this);
  }
  owner_.store(rt::self_goid(), std::memory_order_relaxed);
  lock_pc_.store(pc, std::memory_order_relaxed);
}

bool RWMutex::try_wlock(const void* pc) noexcept {
  if (!w_.try_lock()) return false;
  int32_t none = 0;
  if (!reader_count_.compare_exchange_strong(none, -kMaxReaders, std::memory_order_acq_rel,
                                             std::memory_order_relaxed)) {
    w_.unlock();
    return false;
  }
  owner_.store(rt::self_goid(), std::memory_order_relaxed);
  lock_pc_.store(pc, std::memory_order_relaxed);
  return true;
}

void RWMutex::wunlock() {
  uint64_t owner = owner_.load(std::memory_order_relaxed);
  if (owner != rt::self_goid()) {
    if (owner == 0) rt::fatal_error("sync: Unlock of unlocked RWMutex");
    rt::begin_death();
    rt::raw_print("fatal error: sync: Unlock of an RWMutex by goroutine ");
    rt::raw_print_u64(rt::self_goid());
    rt::raw_print(" that was locked by goroutine ");
    rt::raw_print_u64(owner);
    rt::raw_print("\n\n");
    rt::dump_and_exit();
  }
  owner_.store(0, std::memory_order_relaxed);
  int32_t readers = reader_count_.fetch_add(kMaxReaders, std::memory_order_acq_rel) + kMaxReaders;
  for (; readers > 0; readers--) rt::semrelease(reader_sem_, false);
  w_.unlock();
}

}  // namespace weir
