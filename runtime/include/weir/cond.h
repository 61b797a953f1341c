// Cond: goroutines wait for something that others announce. Go: sync.Cond.
//
//   std::unique_lock hold(mu);
//   nonempty.wait(hold, [&] { return !queue.empty(); });   // elsewhere: push, nonempty.signal()
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include <weir/detail/pc.h>
#include <weir/detail/sema.h>

namespace weir {

class Context;

namespace detail {

// What Cond does with its caller's lock, type-erased.
struct lock_ops {
  void (*lock)(void* lock);
  void (*unlock)(void* lock);
};
template <class L>
inline constexpr lock_ops kLockOps = {[](void* lock) { static_cast<L*>(lock)->lock(); },
                                      [](void* lock) { static_cast<L*>(lock)->unlock(); }};

}  // namespace detail

// A place to wait for a change of what a lock protects. Waiters are woken in the order in which
// they called wait, and never without a signal or broadcast (unlike std::condition_variable); but
// what was announced may be over when a waiter has the lock again, so wait in a loop, or with a
// predicate. Goroutines and plain threads. Must outlive its waiters.
class Cond {
 public:
  constexpr Cond() noexcept {
    if (!std::is_constant_evaluated()) made_pc_ = detail::current_pc();
  }
  Cond(const Cond&) = delete;
  Cond& operator=(const Cond&) = delete;

  // Unlocks, blocks until woken (wait reason "sync.Cond.Wait"), locks again. `lock`, which the
  // caller holds, is anything with lock() and unlock(): a weir::Mutex, a std::unique_lock of one. A
  // signal that comes after the unlocking is not missed. Throws what they throw. Go: Wait.
  template <class L>
  [[gnu::always_inline]] void wait(L& lock) {
    (void)wait_on(nullptr, &lock, detail::kLockOps<L>);
    detail::keep_frame();
  }
  // Waits until pred(), which is called with the lock held.
  template <class L, std::predicate Pred>
  [[gnu::always_inline]] void wait(L& lock, Pred pred) {
    while (!pred()) wait(lock);
  }
  // The same, until ctx is done at the latest. The lock is held again in any case. False: ctx was
  // done first, or before; no signal was used up.
  template <class L>
  [[nodiscard, gnu::always_inline]] bool wait(const Context& ctx, L& lock) {
    bool woken = wait_on(&ctx, &lock, detail::kLockOps<L>);
    detail::keep_frame();
    return woken;
  }
  // Returns what pred() says in the end.
  template <class L, std::predicate Pred>
  [[nodiscard, gnu::always_inline]] bool wait(const Context& ctx, L& lock, Pred pred) {
    while (!pred()) {
      if (!wait(ctx, lock)) return pred();
    }
    return true;
  }

  // Wakes the one that has waited longest, if any waits. Never blocks. The lock may be held. Go:
  // Signal.
  [[gnu::always_inline]] void signal() { signal_at(detail::current_pc()); }
  // Wakes all. Never blocks. Go: Broadcast.
  [[gnu::always_inline]] void broadcast() { broadcast_at(detail::current_pc()); }

 private:
  friend struct rt_access;
  bool wait_on(const Context* ctx, void* lock, const detail::lock_ops& ops);
  bool park(const Context* ctx, rt::sudog* w);
  void signal_at(const void* pc);
  void broadcast_at(const void* pc);
  void signal_one();
  bool leave(rt::sudog* w) noexcept;

  rt::spin_lock spin_;  // protects the line
  rt::waitq line_;
  std::atomic<uint32_t> waiters_{0};  // in line; changed under the lock
  std::atomic<uint64_t> signals_{0};  // calls of signal and broadcast
  std::atomic<const void*> signal_pc_{nullptr};
  const void* made_pc_ = nullptr;  // null for a constant-initialized global
};

}  // namespace weir
