// Mutex: Go's sync.Mutex, that knows its owner.
//
//   weir::Mutex mu;
//   std::scoped_lock hold(mu);
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include <weir/detail/pc.h>
#include <weir/detail/recording.h>
#include <weir/detail/sema.h>

namespace weir {

namespace rt {
struct G;
uint64_t self_goid() noexcept;
}  // namespace rt

// A mutual exclusion lock for goroutines and plain threads. Meets std's Lockable. It belongs to the
// goroutine that locked it: unlocking by another is fatal (Go allows it: use a channel to hand
// over). Fair in the long run: a waiter that waited over 1 ms gets the lock handed over (Go's
// starvation mode). Must not be destroyed or moved while in use. Not recursive: locking twice
// blocks for ever.
class Mutex {
 public:
  constexpr Mutex() noexcept {
    if (!std::is_constant_evaluated()) made_pc_ = detail::current_pc();
  }
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // Blocks until the lock is ours (wait reason "sync.Mutex.Lock"). Go: Lock.
  [[gnu::always_inline]] void lock() {
    int32_t expected = 0;
    if (!state_.compare_exchange_strong(expected, kLocked, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      lock_slow();
    }
    owned_by_caller(detail::current_pc());
  }

  // Never blocks; false where the lock is held. Go: TryLock.
  [[gnu::always_inline]] bool try_lock() {
    if (!try_lock_slow()) return false;
    owned_by_caller(detail::current_pc());
    return true;
  }

  // Never blocks. When the mutex is not locked, or locked by another goroutine, the process dies
  // with a dump of all goroutines. Go: Unlock.
  [[gnu::always_inline]] void unlock() {
    if (owner_.load(std::memory_order_relaxed) != rt::self_goid()) [[unlikely]]
      misuse();
    owner_.store(0, std::memory_order_relaxed);
    int32_t left = state_.fetch_sub(kLocked, std::memory_order_release) - kLocked;
    if (left != 0) [[unlikely]] {
      unlock_slow(left);
      detail::keep_frame();  // for the mutex profile
    }
  }

 private:
  friend struct rt_access;
  static constexpr int32_t kLocked = 1, kWoken = 2, kStarving = 4, kWaiterShift = 3;

  void owned_by_caller(const void* pc) noexcept {
    owner_.store(rt::self_goid(), std::memory_order_relaxed);
    if constexpr (detail::kRecording) lock_pc_.store(pc, std::memory_order_relaxed);
  }
  void lock_slow();
  bool try_lock_slow() noexcept;
  void unlock_slow(int32_t left);
  [[noreturn]] void misuse();

  std::atomic<int32_t> state_{0};  // kLocked | kWoken | kStarving | waiters << kWaiterShift
  rt::sema sema_;
  std::atomic<uint64_t> owner_{0};             // goid; 0: nobody
  std::atomic<const void*> lock_pc_{nullptr};  // where the owner, or the last one, locked it
  const void* made_pc_ = nullptr;              // null for a constant-initialized global
};

}  // namespace weir
