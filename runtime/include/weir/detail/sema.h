// The queue that locks wait on: Go's runtime semaphore, one per lock instead of a global table.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir::rt {

struct sudog;

// A word-sized lock for critical sections of nanoseconds. Unlocking is a plain store, half the
// price of an exchange, so nobody is woken by it: who finds the lock taken spins, and naps when the
// holder must have lost its processor.
class spin_lock {
 public:
  constexpr spin_lock() = default;
  void lock() noexcept {
    uint32_t free = 0;
    if (!word_.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
      lock_slow();
    }
  }
  bool try_lock() noexcept {
    uint32_t free = 0;
    return word_.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  void unlock() noexcept { word_.store(0, std::memory_order_release); }

 private:
  void lock_slow() noexcept;
  std::atomic<uint32_t> word_{0};  // 0 free, 1 held
};

// Waiters in order. The functions are the runtime's own (waitq.h).
struct waitq {
  std::atomic<sudog*> first{
      nullptr};  // written under the lock; anybody may look whether it is null
  sudog* last = nullptr;

  void enqueue(sudog* s) noexcept;
  // The next waiter that may be woken; one whom somebody else has won already is passed over.
  sudog* dequeue() noexcept;
  void remove(sudog* s) noexcept;
  bool contains(const sudog* s) const noexcept;
};

// Waiters in order, and the permits that were given while nobody waited.
struct sema {
  spin_lock lock;                    // protects the list; nothing is allocated or woken under it
  std::atomic<uint32_t> waiters{0};  // length of the list
  std::atomic<uint32_t> permits{0};
  sudog* head = nullptr;
  sudog* tail = nullptr;
};

}  // namespace weir::rt
