// Channels (hchan.h). Go's chan.go.

#include <new>
#include <utility>

#include "chan_timer.h"
#include "fatal.h"
#include "hchan.h"
#include "perturb.h"
#include "proc.h"
#include "tls.h"

namespace weir::rt {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
using introspect::WaitReason;

void unlock_chan(G*, void* c) noexcept { static_cast<hchan*>(c)->lock.unlock(); }

// Wakes a dequeued waiter's goroutine, telling it by which sudog and how it went.
G* waiter_of(sudog* s, bool success) noexcept {
  s->success = success;
  s->g->param = s;
  return s->g;
}

void free_chan(hchan* c) noexcept {
  if (c->timer) {
    free_chan_timer(c->timer);
    return;
  }
  size_t n = c->qcount.load(kRelaxed);
  for (; n > 0; n--) {
    c->type->destroy(c->slot(c->recvx));
    c->advance(c->recvx);
  }
  if (c->buf) ::operator delete (c->buf, std::align_val_t{c->type->align});
  delete c;
}

[[noreturn]] void block_forever(WaitReason reason) {
  gopark([](G*, void*) {}, nullptr, reason, nullptr);
  fatal_error("a goroutine came back from waiting for ever");
}

}  // namespace

void panic_send_on_closed() { throw panic_error("send on closed channel"); }

hchan* makechan(const elemtype& type, size_t capacity) {
  size_t bytes;
  if (__builtin_mul_overflow(type.size, capacity, &bytes) || bytes > PTRDIFF_MAX) {
    throw panic_error("makechan: size out of range");
  }
  auto* c = new hchan;
  c->type = &type;
  c->dataqsiz = capacity;
  c->buf = nullptr;
  c->made_pc = __builtin_return_address(0);
  if (bytes > 0) {
    try {
      c->buf = static_cast<unsigned char*>(::operator new (bytes, std::align_val_t{type.align}));
    } catch (...) {
      delete c;
      throw;
    }
  }
  return c;
}

void chanref(hchan* c) noexcept { c->refs.fetch_add(1, kRelaxed); }

void chanunref(hchan* c) noexcept {
  if (c->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // Goroutines that wait on a channel to which no handle is left wait for ever. They keep it: their
  // sudogs are in its queues, and a diagnosis wants to know it.
  c->lock.lock();
  bool orphaned = c->recvq.first || c->sendq.first;
  c->lock.unlock();
  if (!orphaned) free_chan(c);
}

// A timer's channel buffers a tick, but its user is not to see that: stop and reset take it back.
size_t chanlen(const hchan* c) noexcept { return c && !c->timer ? c->qcount.load(kRelaxed) : 0; }
size_t chancap(const hchan* c) noexcept { return c && !c->timer ? c->dataqsiz : 0; }

bool send_if_ready(hchan* c, void* elem, G** wake) noexcept {
  *wake = nullptr;
  if (sudog* s = c->recvq.dequeue()) {
    c->type->move(s->elem, elem);
    record(c->sends);
    record(c->recvs);
    *wake = waiter_of(s, true);
    return true;
  }
  size_t n = c->qcount.load(kRelaxed);
  if (n == c->dataqsiz) return false;
  c->type->move(c->slot(c->sendx), elem);
  c->advance(c->sendx);
  c->qcount.store(n + 1, kRelaxed);
  record(c->sends);
  return true;
}

recv_status recv_if_ready(hchan* c, void* slot, G** wake) noexcept {
  *wake = nullptr;
  size_t n = c->qcount.load(kRelaxed);
  if (n > 0) {
    c->type->move(slot, c->slot(c->recvx));
    c->type->destroy(c->slot(c->recvx));
    record(c->recvs);
    if (sudog* s = c->sendq.dequeue()) {
      // The buffer was full: the place that became free is the tail, for the first sender in line.
      c->type->move(c->slot(c->recvx), s->elem);
      c->advance(c->recvx);
      c->sendx = c->recvx;
      record(c->sends);
      *wake = waiter_of(s, true);
    } else {
      c->advance(c->recvx);
      c->qcount.store(n - 1, kRelaxed);
    }
    return recv_status::value;
  }
  if (sudog* s = c->sendq.dequeue()) {  // unbuffered
    c->type->move(slot, s->elem);
    record(c->sends);
    record(c->recvs);
    *wake = waiter_of(s, true);
    return recv_status::value;
  }
  return c->closed.load(kRelaxed) ? recv_status::closed : recv_status::not_ready;
}

bool chansend(hchan* c, void* elem, bool block) {
  if (c == nullptr) {
    if (!block) return false;
    block_forever(WaitReason::chan_send_nil);
  }
  perturb_point();
  c->lock.lock();
  if (c->closed.load(kRelaxed)) {
    c->lock.unlock();
    panic_send_on_closed();
  }
  G* wake;
  if (send_if_ready(c, elem, &wake)) {
    c->lock.unlock();
    if (wake) goready(wake);
    return true;
  }
  if (!block) {
    c->lock.unlock();
    return false;
  }
  G* gp = getg();
  sudog s;
  s.g = gp;
  s.elem = elem;
  s.c = c;
  c->sendq.enqueue(&s);
  gopark(unlock_chan, c, WaitReason::chan_send, c);
  // The channel may be gone: only the sudog is looked at.
  if (!s.success) panic_send_on_closed();
  return true;
}

recv_status chanrecv(hchan* c, void* slot, bool block) {
  if (c == nullptr) {
    if (!block) return recv_status::not_ready;
    block_forever(WaitReason::chan_receive_nil);
  }
  // Nothing there and open: told without the lock. The order of the two loads matters: a value that
  // was sent before close must not be missed, so `closed` is read first.
  if (!block && !c->closed.load(std::memory_order_acquire) &&
      c->qcount.load(std::memory_order_acquire) == 0 && c->dataqsiz > 0) {
    return recv_status::not_ready;
  }
  perturb_point();
  c->lock.lock();
  G* wake;
  recv_status status = recv_if_ready(c, slot, &wake);
  if (status != recv_status::not_ready || !block) {
    c->lock.unlock();
    if (wake) goready(wake);
    return status;
  }
  G* gp = getg();
  sudog s;
  s.g = gp;
  s.elem = slot;
  s.c = c;
  c->recvq.enqueue(&s);
  gopark(unlock_chan, c, WaitReason::chan_receive, c);
  return s.success ? recv_status::value : recv_status::closed;
}

void close_locked(hchan* c, gqueue& woken) noexcept {
  c->closed.store(true, std::memory_order_release);
  // The waiters are not on any run queue yet, so schedlink is free to link them.
  while (sudog* s = c->recvq.dequeue()) woken.push_back(waiter_of(s, false));
  while (sudog* s = c->sendq.dequeue()) woken.push_back(waiter_of(s, false));
}

void closechan(hchan* c) {
  if (c == nullptr) throw panic_error("close of nil channel");
  c->lock.lock();
  if (c->closed.load(kRelaxed)) {
    c->lock.unlock();
    throw panic_error("close of closed channel");
  }
  gqueue woken;
  close_locked(c, woken);
  c->lock.unlock();
  goready_all(woken);
}

}  // namespace weir::rt
