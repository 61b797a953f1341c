// The scheduler: start, park, wake, pick the next (proc.h).

#include "proc.h"

#include <sched.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "backoff.h"
#include "clock.h"
#include "fatal.h"
#include "labels.h"
#include "m.h"
#include "origin.h"
#include "perturb.h"
#include "profiling.h"
#include "runq.h"
#include "sanitize.h"
#include "schedule.h"
#include "scope.h"
#include "stack.h"
#include "stats.h"
#include "switch.h"
#include "syscall.h"
#include "thread.h"
#include "tls.h"

namespace weir::rt {

Sched sched;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// ---- switching ----

// Completes the parking of the goroutine that this M switched away from. First thing on the new
// stack.
[[gnu::always_inline]] inline void finish_switch(M* m) noexcept {
  G* prev = m->prev;
  if (prev == nullptr) return;
  m->prev = nullptr;
  auto commit = m->commit;
  void* arg = m->commit_arg;
  prev->status.store(m->prev_status, std::memory_order_release);
  commit(prev, arg);
}

// Exception state belongs to the goroutine: __cxa_get_globals() is per thread.
[[gnu::always_inline]] inline void switch_eh(M* m, G* from, G* to) noexcept {
  eh_globals* live = m->eh;
  if (live->caught != nullptr || live->uncaught != 0 || to->has_eh()) [[unlikely]] {
    from->eh = *live;
    *live = to->eh;
    to->eh = {};
  }
}

// From `self`, which has set m->prev and is parking, or is g0, to `to`. Returns when `self` runs
// again, perhaps on another M. The only place where contexts are switched: so the stacks of parked
// goroutines differ by what their users did, and by nothing else.
[[gnu::noinline]] void switch_context(M* m, G* self, G* to, bool dying) noexcept {
  switch_eh(m, self, to);
  tls_setg(to);
  uintptr_t* save_sp = &self->sp;
  uintptr_t sp = to->sp;
  sanitizer_switch(self, to, dying);  // from here to the switch: registers only
  weir_switch(save_sp, sp);
  sanitizer_switched(tls_getg());
}

// gp, taken off its queue, is to run on this M, which has p.
[[gnu::always_inline]] inline void start_running(M* m, P* p, G* gp, uint64_t ticks) noexcept {
  // First: who sees it run sees where, and an M that is made (introspect::interrupt).
  gp->m.store(m, std::memory_order_release);
  casgstatus(gp, Grunnable, Grunning);
  if (gp->timed) [[unlikely]] {
    const uint64_t woken = gp->since.load(kRelaxed);
    if (gp->timed & kTimedQueue) count_latency(p, woken);
    if (gp->timed & kTimedBlock) gp->woken_at = woken;
    gp->timed = 0;
  }
  if constexpr (detail::kRecording) gp->since.store(ticks, kRelaxed);
}

// Stamps gp, which becomes runnable. To read the clock costs more than all the rest: it is read for
// every 8th, whose wait in the queue is measured; others get a stamp that is up to 10 ms old.
[[gnu::always_inline]] inline void stamp_runnable(P* p, G* gp) noexcept {
  if constexpr (!detail::kRecording) return;
  if (p && p->readies++ % 8 == 0) gp->timed |= kTimedQueue;
  bool exact = gp->timed || !p;  // without a P the coarse clock may stand still
  gp->since.store(exact ? cputicks() : sched.coarse_ticks.load(kRelaxed), kRelaxed);
}

// A goroutine that can run at once on p, without any of the duties that g0 has: looking at the
// global queue each 61 ticks and at timers, what P::preempt asks for, and handing a goroutine over
// to the M that it is locked to. Null: let g0 find one.
//
// Goroutines that wake each other by runnext share a time slice, as in Go; where Go leaves it at
// that, here a slice also ends after 64 switches, so that such a pair does not keep the others
// waiting for 10 ms.
G* next_at_hand(M* m, P* p) noexcept {
  uint32_t tick = p->schedtick.load(kRelaxed);
  if (tick % 61 == 0 && sched.runqsize.load(kRelaxed) != 0) return nullptr;
  if (p->preempt.load(kRelaxed)) return nullptr;
  uint64_t n = p->stats.switches.load(kRelaxed) + 1;
  if (n % 64 == 0) runqkicknext(p);
  if (n % 8 == 0 && p->timer0_when.load(kRelaxed) != 0) return nullptr;
  if (is_perturbing() && perturb_one_in(p, 4)) return nullptr;
  bool inherit;
  G* gp = runqget(p, &inherit);
  if (!gp) return nullptr;
  if (gp->locked_m) [[unlikely]] {
    m->nextg = gp;
    return nullptr;
  }
  p->stats.switches.store(n, kRelaxed);
  if (!inherit) p->schedtick.store(tick + 1, kRelaxed);
  return gp;
}

// Leaves the running goroutine `gp`, whose parking commit will complete, and goes on with another
// one.
[[gnu::always_inline]] inline void switch_away(M* m, P* p, G* gp, uint32_t status,
                                               void (*commit)(G*, void*), void* arg, uint64_t ticks,
                                               bool dying = false) noexcept {
  if (gp->status.load(kRelaxed) != Grunning) [[unlikely]] {
    // It parks within a blocking call: an ordinary goroutine from here on (exit_blocking sees
    // that).
    leave_syscall(p, gp);
    give_turn_back(p);
  } else if (sched.cpu_accounting.load(kRelaxed)) [[unlikely]] {
    ticks = cputicks();
    count(gp->cpu_ticks, ticks - gp->since.load(kRelaxed));
  }
  m->prev = gp;
  m->prev_status = status;
  m->commit = commit;
  m->commit_arg = arg;
  if constexpr (detail::kRecording) gp->since.store(ticks, kRelaxed);
  G* next = p && !gp->locked_m ? next_at_hand(m, p) : nullptr;
  if (next) start_running(m, p, next, ticks);
  switch_context(m, gp, next ? next : &m->g0, dying);
  // Here again, perhaps on another M.
  m = tls_getg()->m.load(kRelaxed);
  finish_switch(m);
  leave_runtime(m);
}

void commit_yield(G* gp, void* arg) noexcept { runqput(static_cast<P*>(arg), gp, false); }

void commit_global(G* gp, void*) noexcept {
  std::scoped_lock hold(sched.lock);
  globrunqput(gp);
}

uint64_t coarse_ticks() noexcept { return sched.coarse_ticks.load(kRelaxed); }

}  // namespace

P* regain_p(M* m, G* gp) noexcept {
  if (P* p = take_idle_p()) {
    acquirep(m, p);
    return p;
  }
  switch_away(m, nullptr, gp, Grunnable, commit_global, nullptr, cputicks());
  return nullptr;
}

namespace {

// enter_runtime for a running goroutine that must have a P afterwards.
P* enter_with_p(G* gp, M** m) noexcept {
  for (;;) {
    *m = gp->m.load(kRelaxed);
    if (P* p = enter_runtime(*m)) return p;
    if (P* p = regain_p(*m, gp)) return p;
  }
}

}  // namespace

void casgstatus(G* gp, uint32_t from, uint32_t to) noexcept {
  uint32_t expected = from;
  backoff wait;
  while (!gp->status.compare_exchange_weak(expected, to, std::memory_order_acq_rel, kRelaxed)) {
    if (expected != from && expected != (from | Gscan) &&
        (expected != Gcopystack || from != Gwaiting)) {
      fatal_error("casgstatus: bad incoming state of a goroutine");
    }
    // Held by the profiler, or its stack is trimmed: microseconds, unless the kernel took the
    // holder's processor away.
    expected = from;
    wait.pause();
  }
}

void ready_from(P* p, G* gp, bool next) noexcept {
  if (gp->is_thread) {
    thread_ready(gp);
    return;
  }
  stamp_runnable(p, gp);
  casgstatus(gp, Gwaiting, Grunnable);
  if (p) {
    runqput(p, gp, next);
  } else {
    std::scoped_lock hold(sched.lock);
    globrunqput(gp);
  }
  wakep();
}

void goready(G* gp) {
  G* self = getg();
  M* m = self->m.load(kRelaxed);
  if (m == nullptr) {
    ready_from(nullptr, gp, true);
    return;
  }
  P* p = enter_runtime(m);
  ready_from(p, gp, true);
  if (p || regain_p(m, self)) leave_runtime(m);
}

void goready_all(gqueue gs) {
  run_in_scopes([&gs](P* p) {
    G* gp = gs.pop_front();
    if (gp) ready_from(p, gp, true);
    return gp != nullptr;
  });
}

namespace {

[[gnu::always_inline]] inline void park(G* gp, void (*commit)(G*, void*), void* arg,
                                        WaitReason reason, const void* waitobj,
                                        uint32_t waitobj_count) {
  if constexpr (detail::kRecording) {
    gp->waitreason = reason;
    gp->waitobj = waitobj;
    gp->waitobj_count = waitobj_count;
  }
  M* m = gp->m.load(kRelaxed);
  if (m == nullptr) {
    thread_park(gp, commit, arg);
    return;
  }
  P* p = enter_runtime(m);
  if (p) record(p->stats.parks);
  switch_away(m, p, gp, Gwaiting, commit, arg, detail::kRecording ? cputicks() : 0);
}

// The same with the block profile on. Apart from the other, which is to know nothing of it.
[[gnu::noinline]] void park_profiled(void (*commit)(G*, void*), void* arg, WaitReason reason,
                                     const void* waitobj, uint32_t waitobj_count) {
  G* gp = getg();
  const uint64_t start = cputicks();
  if (!gp->is_thread) gp->timed |= kTimedBlock;
  park(gp, commit, arg, reason, waitobj, waitobj_count);
  const uint64_t woken = gp->is_thread ? cputicks() : gp->woken_at;
  block_event(gp, woken > start ? woken - start : 0);
}

}  // namespace

void gopark(void (*commit)(G*, void*), void* arg, WaitReason reason, const void* waitobj,
            uint32_t waitobj_count) {
  if (block_profiled(reason)) [[unlikely]] {
    return park_profiled(commit, arg, reason, waitobj, waitobj_count);
  }
  park(getg(), commit, arg, reason, waitobj, waitobj_count);
}

void goexit0() noexcept {
  G* gp = tls_getg();
  gp->goid.store(0, kRelaxed);  // nobody looks at it any more
  drop_labels(gp);
  M* m = gp->m.load(kRelaxed);
  P* p = enter_runtime(m);
  if (p) {
    count(p->stats.exited);
  } else {
    sched.stats.exited.fetch_add(1, kRelaxed);
  }
  if (gp->locked_m) {  // its thread is not fit for others: Go ends it, too
    m->doomed = true;
    m->locked_g = nullptr;
  }
  auto commit = [](G* dead, void* owner) {
    bool main = dead->is_main;
    dead->locked_m = nullptr;
    dead->lock_depth = 0;
    sanitizer_dead(dead);
    gfput(static_cast<P*>(owner), dead);
    if (main) {
      sched.in_run.store(false);
      sched.main_done.wake();
    }
  };
  switch_away(m, p, gp, Gdead, commit, p, coarse_ticks(), true);
  fatal_error("a dead goroutine runs");
}

void execute(M* m, G* gp, bool inherit) noexcept {
  P* p = m->p.load(kRelaxed);
  if (!inherit) p->schedtick.store(p->schedtick.load(kRelaxed) + 1, kRelaxed);
  count(p->stats.switches);
  m->prev = nullptr;
  start_running(m, p, gp, cputicks());
  switch_context(m, &m->g0, gp, false);
  finish_switch(m);
}

}  // namespace weir::rt

extern "C" [[noreturn]] void weir_goroutine_main() {
  using namespace weir::rt;
  G* gp = tls_getg();
  sanitizer_switched(gp);
  M* m = gp->m.load(kRelaxed);
  finish_switch(m);
  leave_runtime(m);
  gp->fn->invoke(gp->closure);
  goexit0();
}

namespace weir {

namespace detail {

uint64_t newproc(const func& fn, void* closure, const GoOptions& options) {
  return rt::newproc1(fn, closure, options, __builtin_return_address(0), /*main=*/false);
}

}  // namespace detail

namespace rt {

namespace {

uint64_t next_goid(P* p) noexcept {
  if (!p) return sched.goidgen.fetch_add(1, kRelaxed) + 1;
  if (p->goidcache == p->goidcacheend) {
    p->goidcache = sched.goidgen.fetch_add(16, kRelaxed) + 1;
    p->goidcacheend = p->goidcache + 16;
  }
  return p->goidcache++;
}

uintptr_t closure_place(const G* gp, const detail::func& fn) noexcept {
  return (gp->stack_hi - fn.size) & ~(uintptr_t{fn.align} - 1);
}

// gp, which nobody sees yet, is to run fn, whose closure is in its place.
void init_g(G* gp, const detail::func& fn, const void* gopc, uint64_t parent_goid,
            std::string_view name, label_set* labels, uint16_t creation) noexcept {
  uintptr_t at = closure_place(gp, fn);
  gp->sp = prepare_stack(at);
  gp->waitreason = WaitReason::none;
  gp->is_thread = false;
  gp->is_main = false;
  gp->m.store(nullptr, kRelaxed);
  gp->waitobj = nullptr;
  gp->waitobj_count = 0;
  gp->wait_context = nullptr;
  gp->waits_for = nullptr;
  gp->cpu_ticks.store(0, kRelaxed);
  gp->param = nullptr;
  gp->eh = {};
  if constexpr (detail::kRecording) {
    gp->parent_goid = parent_goid;
    gp->gopc = gopc;
    gp->startpc = reinterpret_cast<const void*>(fn.invoke);
    gp->creation = creation;
  }
  gp->fn = &fn;
  gp->closure = reinterpret_cast<void*>(at);
  write_name(gp->names[gp->shown_name.load(kRelaxed)], name);
  if (labels) [[unlikely]] {
    ref_labels(labels);
    gp->labels.store(labels, kRelaxed);
  }
}

// Shows a new goroutine to the world and queues it: next, or at the tail. Inside the scope of p
// (null: none).
void start_g(P* p, G* gp, uint64_t goid, bool next) noexcept {
  if (p) {
    count(p->stats.created);
  } else {
    sched.stats.created.fetch_add(1, kRelaxed);
  }
  stamp_runnable(p, gp);
  gp->goid.store(goid, kRelaxed);
  gp->status.store(Grunnable, std::memory_order_release);
  if (p) {
    runqput(p, gp, next);
  } else {
    std::scoped_lock hold(sched.lock);
    globrunqput(gp);
  }
  wakep();
}

}  // namespace

uint64_t newproc1(const detail::func& fn, void* closure, const GoOptions& options, const void* gopc,
                  bool main) {
  G* self = tls_getg();
  if (self == nullptr && !main) self = register_thread();
  size_t size_class = options.stack_size ? class_of(options.stack_size) : sched.default_class;
  if (fn.size + fn.align > class_bytes(size_class) / 4) {
    throw std::length_error("weir::go: a closure of " + std::to_string(fn.size) +
                            " bytes is more than a quarter of the goroutine's stack of " +
                            std::to_string(class_bytes(size_class)) + " bytes");
  }
  const uint16_t creation = creation_stack(self);
  bool on_m = self && self->m.load(kRelaxed) != nullptr;
  M* m = nullptr;
  P* p = on_m ? enter_with_p(self, &m) : nullptr;
  G* gp;
  try {
    gp = gfget(p, size_class);
  } catch (...) {
    if (m) leave_runtime(m);
    throw;
  }
  static bool first_main = true;
  uint64_t goid = main && std::exchange(first_main, false) ? 1 : next_goid(p);
  // The closure's constructor is user code: outside of the scope.
  if (m) leave_runtime(m);

  sanitizer_new(gp);
  try {
    fn.construct(reinterpret_cast<void*>(closure_place(gp, fn)), closure);
  } catch (...) {
    sanitizer_dead(gp);
    gp->status.store(Gdead, kRelaxed);
    gfput(nullptr, gp);
    throw;
  }
  init_g(gp, fn, gopc, self ? self->goid.load(kRelaxed) : 0, options.name,
         self ? self->labels.load(kRelaxed) : nullptr, creation);
  gp->is_main = main;

  if (on_m) p = enter_with_p(self, &m);
  start_g(p, gp, goid, true);
  if (on_m) leave_runtime(m);
  return goid;
}

void newproc_from(P* p, const detail::func& fn, void* closure, const origin& by) noexcept {
  G* gp;
  try {
    gp = gfget(p, sched.default_class);
  } catch (...) {
    fatal_error("out of memory for a goroutine");
  }
  sanitizer_new(gp);
  fn.construct(reinterpret_cast<void*>(closure_place(gp, fn)), closure);
  init_g(gp, fn, by.pc, by.goid, {}, by.labels, by.creation);
  start_g(p, gp, next_goid(p), false);
}

}  // namespace rt

size_t num_goroutine() noexcept {
  uint64_t created = rt::sched.stats.created.load(), exited = rt::sched.stats.exited.load();
  int n = rt::sched.gomaxprocs.load(std::memory_order_acquire);
  for (int i = 0; i < n; i++) {
    exited += rt::allp[i]->stats.exited.load();
    created += rt::allp[i]->stats.created.load();
  }
  return created > exited ? created - exited : 0;
}

uint64_t goid() noexcept { return rt::self_goid(); }

void gosched() {
  using namespace rt;
  G* gp = getg();
  if (gp->m.load(kRelaxed) == nullptr) {
    sched_yield();
    return;
  }
  M* m;
  P* p = enter_with_p(gp, &m);
  if (runqempty(p) && sched.runqsize.load(kRelaxed) == 0 && p->timer0_when.load(kRelaxed) == 0 &&
      !p->preempt.load(kRelaxed)) {
    leave_runtime(m);  // nobody to yield to
    return;
  }
  // Behind those in the global queue when nobody else is in p's: else p would look there at each
  // 61st turn only.
  switch_away(m, p, gp, Grunnable, runqempty(p) ? commit_global : commit_yield, p, coarse_ticks());
}

}  // namespace weir
