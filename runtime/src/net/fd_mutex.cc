// fd_mutex (net/fd_mutex.h).

#include "fd_mutex.h"

#include "../fatal.h"
#include "../sema.h"

namespace weir::net {

namespace {

constexpr uint64_t kClosed = 1;
constexpr uint64_t kRef = 1 << 3, kRefMask = ((uint64_t{1} << 20) - 1) << 3;

// Of a side.
constexpr uint64_t lock_bit(int s) { return s ? 4 : 2; }
constexpr uint64_t wait_one(int s) { return uint64_t{1} << (s ? 43 : 23); }
constexpr uint64_t wait_mask(int s) { return ((uint64_t{1} << 20) - 1) * wait_one(s); }

[[noreturn]] void too_many() noexcept {
  rt::fatal_error("net: over a million concurrent operations on one connection");
}

}  // namespace

bool fd_mutex::incref() noexcept {
  uint64_t old = state_.load(std::memory_order_relaxed);
  do {
    if (old & kClosed) return false;
    if ((old & kRefMask) == kRefMask) too_many();
  } while (!state_.compare_exchange_weak(old, old + kRef, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
  return true;
}

bool fd_mutex::decref() noexcept {
  uint64_t left = state_.fetch_sub(kRef, std::memory_order_acq_rel) - kRef;
  return (left & (kClosed | kRefMask)) == kClosed;
}

bool fd_mutex::close() {
  uint64_t old = state_.load(std::memory_order_relaxed), next;
  do {
    if (old & kClosed) return false;
    if ((old & kRefMask) == kRefMask) too_many();
    // Who waits for a lock is not counted any more: all of them are woken, and find it closed.
    next = ((old | kClosed) + kRef) & ~(wait_mask(0) | wait_mask(1));
  } while (!state_.compare_exchange_weak(old, next, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
  for (int s : {0, 1}) {
    for (uint64_t n = (old & wait_mask(s)) / wait_one(s); n > 0; n--) {
      rt::semrelease(sema_[s], false);
    }
  }
  return true;
}

bool fd_mutex::lock(side which) {
  int s = static_cast<int>(which);
  uint64_t old = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (old & kClosed) return false;
    bool is_free = !(old & lock_bit(s));
    if ((old & (is_free ? kRefMask : wait_mask(s))) == (is_free ? kRefMask : wait_mask(s))) {
      too_many();
    }
    uint64_t next = is_free ? (old | lock_bit(s)) + kRef : old + wait_one(s);
    if (!state_.compare_exchange_weak(old, next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
      continue;
    }
    if (is_free) return true;
    // Whoever wakes us has taken us out of the count.
    rt::semacquire(sema_[s], false, introspect::WaitReason::semacquire, nullptr);
    old = state_.load(std::memory_order_relaxed);
  }
}

bool fd_mutex::unlock(side which) {
  int s = static_cast<int>(which);
  uint64_t old = state_.load(std::memory_order_relaxed), next;
  do {
    next = (old & ~lock_bit(s)) - kRef;
    if (old & wait_mask(s)) next -= wait_one(s);
  } while (!state_.compare_exchange_weak(old, next, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
  bool last = (next & (kClosed | kRefMask)) == kClosed;
  if (old & wait_mask(s)) rt::semrelease(sema_[s], false);
  return last;
}

}  // namespace weir::net
