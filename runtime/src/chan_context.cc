// Channel operations that a context may end (cancel.h).

#include <mutex>

#include "cancel.h"
#include "hchan.h"
#include "perturb.h"
#include "proc.h"
#include "tls.h"

namespace weir::rt {

namespace {

// On a nil channel: only the context ends the wait, if it can. Then it is no wait for ever, and
// must not look like one: it is Go's select over a nil channel and Done.
void wait_on_nil(cancellable_park& wait, WaitReason reason) {
  auto nothing = [](G*, void*) {};
  if (wait.may_be_cancelled()) reason = WaitReason::select;
  if (wait.lock()) (void)wait.park(nullptr, nothing, nullptr, reason, nullptr);
}

// Waits in q, one of c's, with both locked. False: cancelled.
bool wait_in(waitq hchan::*q, hchan* c, sudog& s, cancellable_park& wait, WaitReason reason) {
  (c->*q).enqueue(&s);
  chanref(c);  // looked at after the wake, when the caller's handle may be gone
  bool woken = wait.park(&s, unlock_spin, &c->lock, reason, c);
  if (!woken) {
    std::scoped_lock hold(c->lock);
    if ((c->*q).contains(&s)) (c->*q).remove(&s);
  }
  chanunref(c);
  return woken;
}

}  // namespace

// Both look twice: first without locking the context, which many may share.

bool chansend(hchan* c, void* elem, const Context& ctx) {
  perturb_point();
  cancellable_park wait(&ctx);
  if (wait.cancelled()) return false;
  if (!c) {
    wait_on_nil(wait, WaitReason::chan_send_nil);
    return false;
  }
  if (chansend(c, elem, false)) return true;
  if (!wait.lock()) return false;
  c->lock.lock();
  if (c->closed.load(std::memory_order_relaxed)) {
    c->lock.unlock();
    wait.unlock();
    panic_send_on_closed();
  }
  G* wake;
  if (send_if_ready(c, elem, &wake)) {
    c->lock.unlock();
    wait.unlock();
    if (wake) goready(wake);
    return true;
  }
  sudog s;
  s.g = getg();
  s.elem = elem;
  s.c = c;
  if (!wait_in(&hchan::sendq, c, s, wait, WaitReason::chan_send)) return false;
  if (!s.success) panic_send_on_closed();
  return true;
}

recv_status chanrecv(hchan* c, void* slot, const Context& ctx) {
  perturb_point();
  cancellable_park wait(&ctx);
  if (wait.cancelled()) return recv_status::not_ready;
  if (!c) {
    wait_on_nil(wait, WaitReason::chan_receive_nil);
    return recv_status::not_ready;
  }
  recv_status status = chanrecv(c, slot, false);
  if (status != recv_status::not_ready) return status;
  if (!wait.lock()) return recv_status::not_ready;
  c->lock.lock();
  G* wake;
  status = recv_if_ready(c, slot, &wake);
  if (status != recv_status::not_ready) {
    c->lock.unlock();
    wait.unlock();
    if (wake) goready(wake);
    return status;
  }
  sudog s;
  s.g = getg();
  s.elem = slot;
  s.c = c;
  if (!wait_in(&hchan::recvq, c, s, wait, WaitReason::chan_receive)) return recv_status::not_ready;
  return s.success ? recv_status::value : recv_status::closed;
}

}  // namespace weir::rt
