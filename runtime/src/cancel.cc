// Waits that a context may end (cancel.h).

#include "cancel.h"

#include <mutex>

#include "clock.h"
#include "proc.h"
#include "thread.h"
#include "timer.h"
#include "tls.h"

namespace weir::rt {

bool cancellable_park::lock() noexcept {
  if (!ctx_) return true;
  ctx_->lock.lock();
  if (ctx_->err.load(std::memory_order_relaxed) == 0) return true;
  ctx_->lock.unlock();
  return false;
}

void cancellable_park::unlock() noexcept {
  if (ctx_) ctx_->lock.unlock();
}

void cancellable_park::enter() noexcept {
  waiter_.g = getg();
  waiter_.g->select_done.store(0, std::memory_order_relaxed);
  waiter_.g->wait_context = ctx_;
  ctx_->waiters.insert(&waiter_);
  count(ctx_->nwaiters);
}

bool cancellable_park::leave() noexcept {
  waiter_.g->wait_context = nullptr;
  if (waiter_.cancelled) return false;
  std::scoped_lock hold(ctx_->lock);
  if (!waiter_.alone()) {  // else it was passed over by a canceller that came too late
    waiter_.unlink();
    count(ctx_->nwaiters, ~uint32_t{0});
  }
  return true;
}

bool cancellable_park::park(sudog* s, void (*commit)(G*, void*), void* arg, WaitReason reason,
                            const void* waitobj) {
  if (!ctx_) {
    gopark(commit, arg, reason, waitobj);
    return true;
  }
  if (s) s->is_select = true;
  enter();
  commit_ = commit;
  commit_arg_ = arg;
  // Once the primitive is unlocked the goroutine may be woken, but it does not get past `leave`
  // while the context is locked. (One that is woken by the context does not need to.)
  auto both = [](G* gp, void* self) {
    auto* wait = static_cast<cancellable_park*>(self);
    cancel_context* ctx = wait->ctx_;
    wait->commit_(gp, wait->commit_arg_);
    ctx->lock.unlock();
  };
  gopark(both, this, reason, waitobj);
  return leave();
}

namespace {

// A sleep that can be ended. On the sleeper's stack.
struct sleeper : timer {
  G* g;
  int64_t until;
};

void wake_sleeper(timer* t, gqueue& ready) noexcept {
  G* gp = static_cast<sleeper*>(t)->g;
  uint32_t not_won = 0;
  if (gp->select_done.compare_exchange_strong(not_won, 1)) ready.push_back(gp);
}

}  // namespace

bool cancellable_park::sleep_until(int64_t when) {
  G* gp = getg();
  if (gp->is_thread) {
    // The kernel keeps the time, as for all sleeps of threads: the scheduler may not run.
    enter();
    gp->waitreason = WaitReason::sleep;
    gp->waitobj = nullptr;
    auto unlock_context = [](G*, void* ctx) { static_cast<cancel_context*>(ctx)->lock.unlock(); };
    thread_park(gp, unlock_context, ctx_, when);
    return leave();
  }
  sleeper t;
  t.fire = wake_sleeper;
  t.g = gp;
  t.until = when;
  auto arm = [](G*, void* arg) {
    auto* s = static_cast<sleeper*>(arg);
    M* m = tls_getg()->m.load(std::memory_order_relaxed);
    addtimer_from(m->p.load(std::memory_order_relaxed), s, s->until, 0);
  };
  if (park(nullptr, arm, &t, WaitReason::sleep, nullptr)) return true;
  deltimer(&t);
  return false;
}

}  // namespace weir::rt
