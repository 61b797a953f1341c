// Timers (timer.h).

#include "timer.h"

#include <cstdlib>
#include <mutex>
#include <utility>

#include "fatal.h"
#include "proc.h"

namespace weir::rt {

namespace {

constexpr size_t kArity = 4;

void siftup(timer* heap, size_t i) noexcept {
  timer t = heap[i];
  while (i > 0) {
    size_t parent = (i - 1) / kArity;
    if (heap[parent].when <= t.when) break;
    heap[i] = heap[parent];
    i = parent;
  }
  heap[i] = t;
}

void siftdown(timer* heap, size_t len, size_t i) noexcept {
  timer t = heap[i];
  for (;;) {
    size_t first = i * kArity + 1;
    if (first >= len) break;
    size_t least = first;
    for (size_t c = first + 1; c < first + kArity && c < len; c++) {
      if (heap[c].when < heap[least].when) least = c;
    }
    if (heap[least].when >= t.when) break;
    heap[i] = heap[least];
    i = least;
  }
  heap[i] = t;
}

// timers_lock held.
void push(P* p, timer t) noexcept {
  if (p->timers_len == p->timers_cap) {
    size_t cap = p->timers_cap ? p->timers_cap * 2 : 64;
    auto* grown = static_cast<timer*>(std::realloc(p->timers, cap * sizeof(timer)));
    if (!grown) fatal_error("out of memory for timers");
    p->timers = grown;
    p->timers_cap = cap;
  }
  p->timers[p->timers_len] = t;
  siftup(p->timers, p->timers_len++);
  p->timer0_when.store(p->timers[0].when);
}

// timers_lock held; there is one.
timer pop(P* p) noexcept {
  timer t = p->timers[0];
  p->timers[0] = p->timers[--p->timers_len];
  if (p->timers_len > 0) siftdown(p->timers, p->timers_len, 0);
  p->timer0_when.store(p->timers_len ? p->timers[0].when : 0);
  return t;
}

}  // namespace

void addtimer(P* p, int64_t when, G* gp) noexcept {
  if (!p) p = allp[0];
  bool first;
  {
    std::scoped_lock hold(p->timers_lock);
    push(p, {when, gp});
    first = p->timers[0].when == when;
  }
  if (first) wake_for_timer(when);
}

int64_t runtimers(P* p, P* self, int64_t now, bool* ran) noexcept {
  int64_t next = p->timer0_when.load(std::memory_order_acquire);
  if (next == 0 || next > now) return next;
  constexpr int kBatch = 64;
  for (;;) {
    G* due[kBatch];
    int n = 0;
    p->timers_lock.lock();
    while (n < kBatch && p->timers_len && p->timers[0].when <= now) due[n++] = pop(p).g;
    next = p->timers_len ? p->timers[0].when : 0;
    p->timers_lock.unlock();
    for (int i = 0; i < n; i++) ready_from(self, due[i], false);
    if (n) *ran = true;
    if (n < kBatch) return next;
  }
}

int64_t next_timer() noexcept {
  int64_t earliest = 0;
  int n = sched.gomaxprocs.load(std::memory_order_acquire);
  for (int i = 0; i < n; i++) {
    int64_t when = allp[i]->timer0_when.load();  // sequentially consistent: see keep_time
    if (when != 0 && (earliest == 0 || when < earliest)) earliest = when;
  }
  return earliest;
}

void movetimers(P* p, P* to) noexcept {
  std::scoped_lock hold(p->timers_lock, to->timers_lock);
  while (p->timers_len) push(to, pop(p));
}

}  // namespace weir::rt
