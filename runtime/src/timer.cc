// Timers (timer.h).

#include "timer.h"

#include <cstdlib>
#include <mutex>
#include <utility>

#include "fatal.h"
#include "proc.h"
#include "schedule.h"
#include "scope.h"
#include "tls.h"

namespace weir::rt {

namespace {

constexpr size_t kArity = 4;

bool is_sleeper(timer_entry e) noexcept { return (e.what & 1) != 0; }
G* sleeper_of(timer_entry e) noexcept { return reinterpret_cast<G*>(e.what - 1); }
timer* timer_of(timer_entry e) noexcept { return reinterpret_cast<timer*>(e.what); }

// All that follows: timers_lock held.

void place(timer_entry* heap, size_t i, timer_entry e) noexcept {
  heap[i] = e;
  if (!is_sleeper(e)) timer_of(e)->index = i;
}

void siftup(timer_entry* heap, size_t i) noexcept {
  timer_entry e = heap[i];
  while (i > 0) {
    size_t parent = (i - 1) / kArity;
    if (heap[parent].when <= e.when) break;
    place(heap, i, heap[parent]);
    i = parent;
  }
  place(heap, i, e);
}

void siftdown(timer_entry* heap, size_t len, size_t i) noexcept {
  timer_entry e = heap[i];
  for (;;) {
    size_t first = i * kArity + 1;
    if (first >= len) break;
    size_t least = first;
    for (size_t c = first + 1; c < first + kArity && c < len; c++) {
      if (heap[c].when < heap[least].when) least = c;
    }
    if (heap[least].when >= e.when) break;
    place(heap, i, heap[least]);
    i = least;
  }
  place(heap, i, e);
}

void publish_first(P* p) noexcept { p->timer0_when.store(p->timers_len ? p->timers[0].when : 0); }

void push(P* p, timer_entry e) noexcept {
  if (p->timers_len == p->timers_cap) {
    size_t cap = p->timers_cap ? p->timers_cap * 2 : 64;
    auto* grown = static_cast<timer_entry*>(std::realloc(p->timers, cap * sizeof(timer_entry)));
    if (!grown) fatal_error("out of memory for timers");
    p->timers = grown;
    p->timers_cap = cap;
  }
  size_t i = p->timers_len++;
  p->timers[i] = e;
  siftup(p->timers, i);
  publish_first(p);
}

void push_timer(P* p, timer* t) noexcept {
  t->home.store(p, std::memory_order_relaxed);
  push(p, {t->when, reinterpret_cast<uintptr_t>(t)});
}

// Takes the entry at i out. A timer's home still stands: whoever calls deltimer meanwhile waits for
// the lock.
timer_entry take(P* p, size_t i) noexcept {
  timer_entry out = p->timers[i];
  timer_entry last = p->timers[--p->timers_len];
  if (i < p->timers_len) {
    place(p->timers, i, last);
    if (last.when < out.when) {
      siftup(p->timers, i);
    } else {
      siftdown(p->timers, p->timers_len, i);
    }
  }
  publish_first(p);
  return out;
}

// t is in no heap any more. The last touch: its owner may free it from here on.
void disarmed(timer* t) noexcept { t->home.store(nullptr, std::memory_order_release); }

// Arms it for the first multiple of its period after now; ticks that nobody could have seen are
// dropped.
void rearm(P* p, timer* t, int64_t now) noexcept {
  t->when += t->period * (1 + (now - t->when) / t->period);
  push_timer(p, t);
}

// Adds under the lock, then sees to it that somebody wakes in time.
template <class Add>
void add(P* p, int64_t when, Add add_to) noexcept {
  bool first;
  {
    std::scoped_lock hold(p->timers_lock);
    add_to();
    first = p->timers[0].when == when;
  }
  if (first) wake_for_timer(when);
}

}  // namespace

void addsleeper(P* p, int64_t when, G* gp) noexcept {
  if (!p) p = allp[0];
  add(p, when, [&] { push(p, {when, reinterpret_cast<uintptr_t>(gp) | 1}); });
}

void addtimer_from(P* p, timer* t, int64_t when, int64_t period) noexcept {
  t->when = when;
  t->period = period;
  if (!p) p = allp[0];
  add(p, when, [&] { push_timer(p, t); });
}

void addtimer(timer* t, int64_t when, int64_t period) noexcept {
  // Inside a scope, so that the P stays one of those whose timers are looked at.
  M* m = getg()->m.load(std::memory_order_relaxed);
  addtimer_from(m ? enter_runtime(m) : nullptr, t, when, period);
  if (m) leave_runtime(m);
}

bool deltimer(timer* t) noexcept {
  for (;;) {
    P* p = t->home.load(std::memory_order_acquire);
    if (!p) return false;
    std::scoped_lock hold(p->timers_lock);
    if (t->home.load(std::memory_order_relaxed) != p) continue;  // it moved, or came due
    take(p, t->index);
    disarmed(t);
    return true;
  }
}

int64_t runtimers(P* p, P* self, int64_t now, bool* ran) noexcept {
  int64_t next = p->timer0_when.load(std::memory_order_acquire);
  if (next == 0 || next > now) return next;
  struct Due {
    timer* t;
    uint64_t seq;
    void (*run)(timer*, uint64_t, P*) noexcept;
  };
  constexpr int kBatch = 64;
  for (;;) {
    G* sleepers[kBatch];
    Due due[kBatch];
    gqueue ready;
    int n = 0, nsleepers = 0, ndue = 0;
    p->timers_lock.lock();
    for (; n < kBatch && p->timers_len && p->timers[0].when <= now; n++) {
      timer_entry e = take(p, 0);
      if (is_sleeper(e)) {
        sleepers[nsleepers++] = sleeper_of(e);
        continue;
      }
      timer* t = timer_of(e);
      if (!t->fire) {
        due[ndue++] = {t, t->seq, t->run};
        disarmed(t);
        continue;
      }
      bool once = t->period == 0;
      if (!once) rearm(p, t, now);
      t->fire(t, ready);
      if (once) disarmed(t);  // not before: deltimer promises that fire is over
    }
    next = p->timers_len ? p->timers[0].when : 0;
    p->timers_lock.unlock();
    for (int i = 0; i < nsleepers; i++) ready_from(self, sleepers[i], false);
    while (G* gp = ready.pop_front()) ready_from(self, gp, false);
    for (int i = 0; i < ndue; i++) due[i].run(due[i].t, due[i].seq, self);
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
  while (p->timers_len) {
    timer_entry e = take(p, p->timers_len - 1);
    if (is_sleeper(e)) {
      push(to, e);
    } else {
      push_timer(to, timer_of(e));
    }
  }
}

}  // namespace weir::rt
