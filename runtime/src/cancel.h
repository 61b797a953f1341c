// Waits that a context may end. Write a wait like this; with a context that is never cancelled it
// is a plain park:
//
//   cancellable_park wait(ctx);
//   if (!wait.lock()) return false;               // cancelled already
//   spin.lock();
//   if (nothing to wait for) { spin.unlock(); wait.unlock(); return true; }
//   line.enqueue(&s);
//   if (wait.park(&s, unlock_spin, &spin, reason, this)) return true;
//   ... take s out of the line, if it is still in it ...
//   return false;
//
// The waiter is in two places: the primitive's line (a sudog) and the context's list of waiters (a
// cancel_waiter). Both locks are held, the context's first, until the parking is completed. From
// then on G::select_done decides, as in select: who sets it, the primitive's waker by `claim` or
// the context's canceller, wakes the goroutine. The loser has passed the goroutine over and taken
// it off its own list, or will find it there no more: the goroutine, once awake, takes itself off.
//
// The wait record is the primitive's: a dump shows "chan receive", not the context.
#pragma once

#include <cstdint>

#include "context.h"
#include "runtime2.h"

namespace weir::rt {

class cancellable_park {
 public:
  explicit cancellable_park(const context* ctx) noexcept : ctx_(ctx ? ctx->scope : nullptr) {}
  explicit cancellable_park(const Context* ctx) noexcept
      : cancellable_park(ctx ? ctx->core() : static_cast<context*>(nullptr)) {}

  // False: a context that is never cancelled.
  bool may_be_cancelled() const noexcept { return ctx_ != nullptr; }
  bool cancelled() const noexcept { return ctx_ && ctx_->err.load(std::memory_order_acquire) != 0; }

  // Locks the context, so that it is not cancelled before park or unlock. False: it was, and is not
  // locked.
  [[nodiscard]] bool lock() noexcept;
  void unlock() noexcept;

  // gopark, for a waiter whose record in the primitive's line is s (null: it is in none). Unlocks
  // the context. False: the context ended the wait.
  [[nodiscard]] bool park(sudog* s, void (*commit)(G* gp, void* arg), void* arg, WaitReason reason,
                          const void* waitobj);
  // Sleeps until `when` (nanotime), or until the context, which may be cancelled, is: false.
  // Unlocks it.
  [[nodiscard]] bool sleep_until(int64_t when);

 private:
  void enter() noexcept;
  bool leave() noexcept;  // false: cancelled

  cancel_context* const ctx_;
  cancel_waiter waiter_;
  // The primitive's.
  void (*commit_)(G* gp, void* arg) = nullptr;
  void* commit_arg_ = nullptr;
};

}  // namespace weir::rt
