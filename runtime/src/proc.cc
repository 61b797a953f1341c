// The scheduler: start, park, wake, pick the next (proc.h).

#include "proc.h"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "clock.h"
#include "fatal.h"
#include "m.h"
#include "runq.h"
#include "sanitize.h"
#include "scope.h"
#include "stack.h"
#include "switch.h"
#include "sysmon.h"
#include "thread.h"
#include "timer.h"
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

// gp, taken off its queue, is to run on this M.
void start_running(M* m, G* gp, uint64_t ticks) noexcept {
  casgstatus(gp, Grunnable, Grunning);
  gp->m.store(m, kRelaxed);
  gp->since.store(ticks, kRelaxed);
}

// The end of a turn for goroutines that wake each other by runnext: the ring's come first now.
void kick_runnext(P* p) noexcept {
  if (G* gp = p->runnext.exchange(nullptr, std::memory_order_acquire)) runqput(p, gp, false);
}

// A goroutine that can run at once on p, without any of the duties that g0 has: looking at the
// global queue each 61 ticks and at timers, and what P::preempt asks for. Null: let g0 find one.
//
// Goroutines that wake each other by runnext share a time slice, as in Go; where Go leaves it at
// that, here a slice also ends after 64 switches, so that such a pair does not keep the others
// waiting for 10 ms.
G* next_at_hand(P* p) noexcept {
  uint32_t tick = p->schedtick.load(kRelaxed);
  if (tick % 61 == 0 && sched.runqsize.load(kRelaxed) != 0) return nullptr;
  if (p->preempt.load(kRelaxed)) return nullptr;
  uint32_t n = ++p->switches;
  if (n % 64 == 0) kick_runnext(p);
  if (n % 8 == 0 && p->timer0_when.load(kRelaxed) != 0) return nullptr;
  bool inherit;
  G* gp = runqget(p, &inherit);
  if (gp && !inherit) p->schedtick.store(tick + 1, kRelaxed);
  return gp;
}

// Leaves the running goroutine `gp`, whose parking commit will complete, and goes on with another
// one.
[[gnu::always_inline]] inline void switch_away(M* m, P* p, G* gp, uint32_t status,
                                               void (*commit)(G*, void*), void* arg,
                                               bool dying = false) noexcept {
  m->prev = gp;
  m->prev_status = status;
  m->commit = commit;
  m->commit_arg = arg;
  uint64_t ticks = cputicks();
  gp->since.store(ticks, kRelaxed);
  G* next = p ? next_at_hand(p) : nullptr;
  if (next) start_running(m, next, ticks);
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

// For a goroutine whose P was taken away, inside its scope: takes an idle P, or gets in line for
// one. Returns inside a scope, with a P unless it had to wait (then outside of one, with null).
P* regain_p(M* m, G* gp) noexcept {
  if (!sched.stopping.load(kRelaxed)) {
    sched.lock.lock();
    P* p = sched.stopping.load(kRelaxed) ? nullptr : pidleget();
    sched.lock.unlock();
    if (p) {
      acquirep(m, p);
      wake_sysmon();
      return p;
    }
  }
  switch_away(m, nullptr, gp, Grunnable, commit_global, nullptr);
  return nullptr;
}

// enter_runtime for a running goroutine that must have a P afterwards.
P* enter_with_p(G* gp, M** m) noexcept {
  for (;;) {
    *m = gp->m.load(kRelaxed);
    if (P* p = enter_runtime(*m)) return p;
    if (P* p = regain_p(*m, gp)) return p;
  }
}

// ---- finding work, on g0 ----

void wake_if_needed(M* m) noexcept {  // Go: resetspinning
  m->spinning = false;
  int before = sched.nmspinning.fetch_sub(1);
  if (before <= 0) fatal_error("findrunnable: negative nmspinning");
  // The last to stop spinning hands the torch on, now that there is work.
  wakep();
}

G* stealwork(P* p, int64_t now) noexcept {
  uint32_t n = static_cast<uint32_t>(sched.gomaxprocs.load(kRelaxed));
  for (int round = 0; round < 4; round++) {
    bool last = round == 3;
    // A random start and a stride coprime with n visit each P once, in an order that differs per
    // thief.
    p->rng = p->rng * 6364136223846793005u + 1442695040888963407u;
    uint32_t at = static_cast<uint32_t>(p->rng >> 33) % n;
    uint32_t stride = 1 + static_cast<uint32_t>(p->rng >> 45) % n;
    while (std::gcd(stride, n) != 1) stride = stride % n + 1;
    for (uint32_t i = 0; i < n; i++, at = (at + stride) % n) {
      if (sched.stopping.load(kRelaxed)) return nullptr;
      P* victim = allp[at];
      if (victim == p) continue;
      if (last) {
        bool ran = false;
        runtimers(victim, p, now, &ran);
        bool inherit;
        if (ran) {
          if (G* gp = runqget(p, &inherit)) return gp;
        }
      }
      if (victim->status.load(kRelaxed) == Pidle) continue;  // an idle P's ring is empty
      if (G* gp = runqsteal(p, victim, last)) return gp;
    }
  }
  return nullptr;
}

// Sleeps until `when`, without a P, if nobody else does. False: somebody else keeps the time.
bool keep_time(int64_t when) noexcept {
  bool expected = false;
  if (!sched.timekeeping.compare_exchange_strong(expected, true)) return false;
  uint32_t word = sched.keeper_word.load();
  sched.keep_until.store(when);
  // A timer that was added before keep_until was visible did not wake us.
  int64_t earliest = next_timer();
  if (earliest != 0 && earliest < when) when = earliest;
  int64_t now = nanotime();
  if (when > now) futex_wait(&sched.keeper_word, word, when - now);
  sched.keep_until.store(0);
  sched.timekeeping.store(false);
  return true;
}

// Some P has work although this M has just given its P up: gets an idle P again. sched.lock not
// held.
P* idle_p_again() noexcept {
  P* p = nullptr;
  {
    std::scoped_lock hold(sched.lock);
    if (!sched.stopping.load(kRelaxed)) p = pidleget();
  }
  if (p) wake_sysmon();  // it sleeps while all Ps are idle
  return p;
}

// The next goroutine to run, off its queue. Blocks; the M has a P before and after, not always the
// same.
G* findrunnable(M* m, bool* inherit) noexcept {
  *inherit = false;
  for (;;) {
    P* p = m->p.load(kRelaxed);
    if (sched.stopping.load(std::memory_order_acquire)) {
      gcstopm(m);
      continue;
    }
    if (p->preempt.load(kRelaxed)) {
      p->preempt.store(false, kRelaxed);
      kick_runnext(p);
    }
    int64_t now = p->timer0_when.load(kRelaxed) != 0 ? nanotime() : 0;
    if (now) {
      bool ran = false;
      runtimers(p, p, now, &ran);
    }
    if (p->schedtick.load(kRelaxed) % 61 == 0 && sched.runqsize.load(kRelaxed) != 0) {
      std::scoped_lock hold(sched.lock);
      if (G* gp = globrunqget(p, 1)) return gp;
    }
    if (G* gp = runqget(p, inherit)) return gp;
    if (sched.runqsize.load(kRelaxed) != 0) {
      std::scoped_lock hold(sched.lock);
      if (G* gp = globrunqget(p, 0)) return gp;
    }
    // At most half of the busy Ps' Ms look for work at others at a time.
    int busy = sched.gomaxprocs.load(kRelaxed) - sched.npidle.load(kRelaxed);
    if (m->spinning || 2 * sched.nmspinning.load(kRelaxed) < busy) {
      if (!m->spinning) {
        m->spinning = true;
        sched.nmspinning.fetch_add(1);
      }
      if (G* gp = stealwork(p, now ? now : nanotime())) return gp;
    }
    // Nothing. Give the P up; then look once more, since work may have been put between our last
    // look and nmspinning's decrease, by somebody who saw us spinning and so woke nobody.
    {
      std::scoped_lock hold(sched.lock);
      if (sched.stopping.load(kRelaxed)) continue;
      if (sched.runq.len != 0) {
        if (G* gp = globrunqget(p, 0)) return gp;
      }
      if (!m->spinning && sched.needspinning.load()) {
        m->spinning = true;
        sched.nmspinning.fetch_add(1);
        sched.needspinning.store(false);
        continue;
      }
      releasep(m);
      pidleput(p);
    }
    bool was_spinning = m->spinning;
    if (was_spinning) {
      m->spinning = false;
      if (sched.nmspinning.fetch_sub(1) <= 0) fatal_error("findrunnable: negative nmspinning");
      bool work = sched.runqsize.load() != 0;
      int n = sched.gomaxprocs.load(kRelaxed);
      for (int i = 0; i < n && !work; i++) work = !runqempty(allp[i]);
      if (work) {
        if (P* again = idle_p_again()) {
          acquirep(m, again);
          m->spinning = true;
          sched.nmspinning.fetch_add(1);
          continue;
        }
      }
    }
    int64_t when = next_timer();
    if (when != 0 && keep_time(when)) {
      if (P* again = idle_p_again()) {
        acquirep(m, again);
        m->spinning = true;
        sched.nmspinning.fetch_add(1);
        continue;
      }
    }
    stopm(m);
  }
}

}  // namespace

void casgstatus(G* gp, uint32_t from, uint32_t to) noexcept {
  uint32_t expected = from;
  for (int spins = 0;
       !gp->status.compare_exchange_weak(expected, to, std::memory_order_acq_rel, kRelaxed);
       spins++) {
    if (expected != from && expected != (from | Gscan)) {
      fatal_error("casgstatus: bad incoming state of a goroutine");
    }
    // Held by the profiler: microseconds, unless the kernel took its processor away.
    expected = from;
    if (spins % 100 == 99) {
      sched_yield();
    } else {
      cpu_pause();
    }
  }
}

void wakep() noexcept {
  if (sched.npidle.load(kRelaxed) == 0) return;
  int none = 0;
  if (sched.nmspinning.load(kRelaxed) != 0 || !sched.nmspinning.compare_exchange_strong(none, 1))
    return;
  P* p;
  {
    std::scoped_lock hold(sched.lock);
    p = sched.stopping.load(kRelaxed) ? nullptr : pidleget();
    if (!p) {
      sched.needspinning.store(true);
      sched.nmspinning.fetch_sub(1);
    }
  }
  if (p) startm(p, true);
}

void wake_for_timer(int64_t when) noexcept {
  if (sched.timekeeping.load()) {
    int64_t until = sched.keep_until.load();
    if (until == 0 || until > when) {
      sched.keeper_word.fetch_add(1);
      futex_wake(&sched.keeper_word);
    }
  } else {
    wakep();  // somebody must sleep until then
  }
}

void ready_from(P* p, G* gp, bool next) noexcept {
  if (gp->is_thread) {
    thread_ready(gp);
    return;
  }
  gp->since.store(cputicks(), kRelaxed);
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
  while (G* gp = gs.pop_front()) goready(gp);
}

void gopark(void (*commit)(G*, void*), void* arg, WaitReason reason, const void* waitobj,
            uint32_t waitobj_count) {
  G* gp = getg();
  gp->waitreason = reason;
  gp->waitobj = waitobj;
  gp->waitobj_count = waitobj_count;
  M* m = gp->m.load(kRelaxed);
  if (m == nullptr) {
    thread_park(gp, commit, arg);
    return;
  }
  P* p = enter_runtime(m);
  switch_away(m, p, gp, Gwaiting, commit, arg);
}

void goexit0() noexcept {
  G* gp = tls_getg();
  M* m = gp->m.load(kRelaxed);
  P* p = enter_runtime(m);
  std::atomic<uint64_t>& exited = p ? p->exited : sched.exited;
  if (p) {
    exited.store(exited.load(kRelaxed) + 1, kRelaxed);
  } else {
    exited.fetch_add(1, kRelaxed);
  }
  gp->goid.store(0, kRelaxed);
  auto commit = [](G* dead, void* owner) {
    bool main = dead->is_main;
    sanitizer_dead(dead);
    gfput(static_cast<P*>(owner), dead);
    if (main) {
      sched.in_run.store(false);
      sched.main_done.wake();
    }
  };
  switch_away(m, p, gp, Gdead, commit, p, true);
  fatal_error("a dead goroutine runs");
}

void mstart_loop(M* m) noexcept {
  for (;;) {
    if (m->p.load(kRelaxed) == nullptr) {
      // The goroutine that ran here had lost its P: an idle one, or the end of this M's work for
      // now.
      if (P* p = idle_p_again()) {
        acquirep(m, p);
      } else {
        stopm(m);
      }
    }
    bool inherit;
    G* gp = findrunnable(m, &inherit);
    if (m->spinning) wake_if_needed(m);
    P* p = m->p.load(kRelaxed);
    if (!inherit) p->schedtick.store(p->schedtick.load(kRelaxed) + 1, kRelaxed);
    m->prev = nullptr;
    start_running(m, gp, cputicks());
    switch_context(m, &m->g0, gp, false);
    finish_switch(m);
  }
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
  uint64_t goid = main ? 1 : 0;
  static bool first_main = true;
  if (main && !std::exchange(first_main, false)) goid = 0;
  if (goid == 0) {
    if (p) {
      if (p->goidcache == p->goidcacheend) {
        p->goidcache = sched.goidgen.fetch_add(16, kRelaxed) + 1;
        p->goidcacheend = p->goidcache + 16;
      }
      goid = p->goidcache++;
    } else {
      goid = sched.goidgen.fetch_add(1, kRelaxed) + 1;
    }
  }
  // The closure's constructor is user code: outside of the scope.
  if (m) leave_runtime(m);

  uintptr_t at = (gp->stack_hi - fn.size) & ~(uintptr_t{fn.align} - 1);
  sanitizer_new(gp);
  try {
    fn.construct(reinterpret_cast<void*>(at), closure);
  } catch (...) {
    sanitizer_dead(gp);
    gp->status.store(Gdead, kRelaxed);
    gfput(nullptr, gp);
    throw;
  }
  gp->sp = prepare_stack(at);
  gp->waitreason = WaitReason::none;
  gp->is_thread = false;
  gp->is_main = main;
  gp->m.store(nullptr, kRelaxed);
  gp->waitobj = nullptr;
  gp->waitobj_count = 0;
  gp->param = nullptr;
  gp->eh = {};
  gp->parent_goid = self ? self->goid.load(kRelaxed) : 0;
  gp->gopc = gopc;
  gp->startpc = reinterpret_cast<const void*>(fn.invoke);
  gp->fn = &fn;
  gp->closure = reinterpret_cast<void*>(at);
  size_t n = std::min(options.name.size(), introspect::kMaxName);
  std::memcpy(gp->name, options.name.data(), n);
  gp->name[n] = 0;
  gp->since.store(cputicks(), kRelaxed);
  gp->goid.store(goid, kRelaxed);

  if (on_m) p = enter_with_p(self, &m);
  if (p) {
    p->created.store(p->created.load(kRelaxed) + 1, kRelaxed);
  } else {
    sched.created.fetch_add(1, kRelaxed);
  }
  gp->status.store(Grunnable, std::memory_order_release);
  if (p) {
    runqput(p, gp, true);
    wakep();
    leave_runtime(m);
  } else {
    sched.lock.lock();
    globrunqput(gp);
    sched.lock.unlock();
    wakep();
  }
  return goid;
}

}  // namespace rt

size_t num_goroutine() noexcept {
  uint64_t created = rt::sched.created.load(), exited = rt::sched.exited.load();
  int n = rt::sched.gomaxprocs.load(std::memory_order_acquire);
  for (int i = 0; i < n; i++) {
    exited += rt::allp[i]->exited.load();
    created += rt::allp[i]->created.load();
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
  switch_away(m, p, gp, Grunnable, commit_yield, p);
}

}  // namespace weir
