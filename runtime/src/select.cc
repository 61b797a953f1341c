// select. Go's select.go: the ready case is looked for in random order; if there is none, a sudog
// is queued on each channel while all are locked, in address order, and whoever wins select_done
// wakes the goroutine. Other than in Go, a case that is ready is done under its own channel's lock
// alone.

#include <weir/select.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>

#include "clock.h"
#include "hchan.h"
#include "perturb.h"
#include "proc.h"
#include "tls.h"

namespace weir::rt {

namespace {

// Working memory: on the stack for the usual few cases, else on the heap.
struct Work {
  sudog* sudogs;
  uint16_t* lockorder;  // indexes of cases with channels, by address
  uint16_t* pollorder;  // the same, shuffled
  uint16_t n;
  const scase* cases;
};

uint32_t random_below(uint32_t n) noexcept {
  // xorshift*, per thread; only read and written between switches.
  static thread_local uint64_t state = 0;
  if (state == 0) state = cputicks() | 1;
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return static_cast<uint32_t>(((state * 0x2545f4914f6cdd1du) >> 32) * n >> 32);
}

void lock_all(const Work& w) noexcept {
  hchan* last = nullptr;
  for (uint16_t i = 0; i < w.n; i++) {
    hchan* c = w.cases[w.lockorder[i]].c;
    if (c != last) (last = c)->lock.lock();
  }
}

// Reads nothing of w after the last unlock: then the goroutine whose stack has it may run. (Not
// before: the first thing that it does is lock_all.)
void unlock_all(const Work& w) noexcept {
  for (uint16_t i = w.n; i-- > 0;) {
    hchan* c = w.cases[w.lockorder[i]].c;
    if (i == 0 || w.cases[w.lockorder[i - 1]].c != c) c->lock.unlock();
  }
}

void commit_select(G*, void* work) noexcept { unlock_all(*static_cast<Work*>(work)); }

// A look without the lock, which may be wrong either way.
bool looks_ready(const scase& k) noexcept {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const hchan* c = k.c;
  if (c->closed.load(kRelaxed)) return true;
  size_t n = c->qcount.load(kRelaxed);
  return k.send ? n < c->dataqsiz || c->recvq.first.load(kRelaxed)
                : n > 0 || c->sendq.first.load(kRelaxed);
}

enum class Tried : uint8_t { not_ready, sent, received, received_closed, send_on_closed };

// Does the case's operation if it is ready. Under its channel's lock.
Tried try_case(const scase& k, G** wake) noexcept {
  if (k.send) {
    if (k.c->closed.load(std::memory_order_relaxed)) return Tried::send_on_closed;
    return send_if_ready(k.c, k.elem, wake) ? Tried::sent : Tried::not_ready;
  }
  switch (recv_if_ready(k.c, k.elem, wake)) {
    case recv_status::value:
      return Tried::received;
    case recv_status::closed:
      return Tried::received_closed;
    default:
      return Tried::not_ready;
  }
}

// After unlocking.
select_result finish(int at, Tried tried, G* wake) {
  if (tried == Tried::send_on_closed) panic_send_on_closed();
  if (wake) goready(wake);
  return {at, tried == Tried::received_closed};
}

// One case is no choice: the plain operation, with its own wait reason, as Go's compiler does it.
select_result select_one(const scase& only, bool block) {
  if (only.send) return {chansend(only.c, only.elem, block) ? 0 : -1, false};
  recv_status status = chanrecv(only.c, only.elem, block);
  return {status == recv_status::not_ready ? -1 : 0, status == recv_status::closed};
}

}  // namespace

select_result selectgo(const scase* cases, size_t n, bool block) {
  if (n == 1) return select_one(cases[0], block);
  constexpr size_t kInline = 8;
  alignas(sudog) unsigned char inline_sudogs[kInline * sizeof(sudog)];  // made when they are needed
  uint16_t inline_orders[2 * kInline];
  std::unique_ptr<sudog[]> heap_sudogs;
  std::unique_ptr<uint16_t[]> heap_orders;
  Work w{reinterpret_cast<sudog*>(inline_sudogs), inline_orders, inline_orders + kInline, 0, cases};
  if (n > kInline) {
    heap_sudogs = std::make_unique<sudog[]>(n);
    heap_orders = std::make_unique<uint16_t[]>(2 * n);
    w.sudogs = heap_sudogs.get();
    w.lockorder = heap_orders.get();
    w.pollorder = heap_orders.get() + n;
  }
  for (size_t i = 0; i < n; i++) {
    if (cases[i].c == nullptr) continue;  // a nil channel is never ready
    uint32_t j = random_below(w.n + 1u);
    w.pollorder[w.n] = w.pollorder[j];
    w.pollorder[j] = static_cast<uint16_t>(i);
    w.lockorder[w.n] = static_cast<uint16_t>(i);
    w.n++;
  }
  if (w.n == 0) {
    if (!block) return {-1, false};
    gopark([](G*, void*) {}, nullptr,
           n == 0 ? introspect::WaitReason::select_no_cases : introspect::WaitReason::select,
           nullptr);
  }
  perturb_point();
  // A case that looks ready is tried under its own channel's lock: as a rule that is the end.
  for (uint16_t i = 0; i < w.n; i++) {
    uint16_t at = w.pollorder[i];
    const scase& k = cases[at];
    if (!looks_ready(k)) continue;
    k.c->lock.lock();
    G* wake = nullptr;
    Tried tried = try_case(k, &wake);
    k.c->lock.unlock();
    if (tried != Tried::not_ready) return finish(at, tried, wake);
  }
  // That none is ready can be said only under all locks.
  std::sort(w.lockorder, w.lockorder + w.n,
            [&](uint16_t a, uint16_t b) { return std::less<>()(cases[a].c, cases[b].c); });
  lock_all(w);
  for (uint16_t i = 0; i < w.n; i++) {
    uint16_t at = w.pollorder[i];
    G* wake = nullptr;
    Tried tried = try_case(cases[at], &wake);
    if (tried == Tried::not_ready) continue;
    unlock_all(w);
    return finish(at, tried, wake);
  }
  if (!block) {
    unlock_all(w);
    return {-1, false};
  }

  // Wait on all of them. The channels are looked at after the wake, when the caller's handles may
  // be gone.
  G* gp = getg();
  gp->select_done.store(0, std::memory_order_relaxed);
  for (uint16_t i = 0; i < w.n; i++) {
    uint16_t at = w.lockorder[i];
    sudog& s = *new (&w.sudogs[i]) sudog;
    s.g = gp;
    s.elem = cases[at].elem;
    s.c = cases[at].c;
    s.case_index = at;
    s.is_select = true;
    (cases[at].send ? s.c->sendq : s.c->recvq).enqueue(&s);
    chanref(s.c);
  }
  gopark(commit_select, &w, introspect::WaitReason::select, cases, static_cast<uint32_t>(n));
  lock_all(w);
  sudog* won = gp->param;
  for (uint16_t i = 0; i < w.n; i++) {
    sudog& s = w.sudogs[i];
    if (&s == won) continue;
    waitq& q = cases[s.case_index].send ? s.c->sendq : s.c->recvq;
    if (q.contains(&s)) q.remove(&s);  // else it was passed over by a waker that came too late
  }
  unlock_all(w);
  for (uint16_t i = 0; i < w.n; i++) chanunref(w.sudogs[i].c);
  const scase& k = cases[won->case_index];
  if (k.send && !won->success) panic_send_on_closed();
  return {won->case_index, !k.send && !won->success};
}

}  // namespace weir::rt
