// What an M does on its own stack (schedule.h).

#include "schedule.h"

#include <mutex>
#include <numeric>
#include <utility>

#include "clock.h"
#include "fatal.h"
#include "m.h"
#include "netpoll.h"
#include "perturb.h"
#include "proc.h"
#include "runq.h"
#include "scope.h"
#include "stats.h"
#include "timer.h"

namespace weir::rt {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr int64_t kPollAtLeast = 10'000'000;  // ns between looks at the network, Go's

void start_spinning(M* m) noexcept {
  m->spinning = true;
  sched.nmspinning.fetch_add(1);
}

void stop_spinning(M* m) noexcept {
  m->spinning = false;
  if (sched.nmspinning.fetch_sub(1) <= 0) fatal_error("findrunnable: negative nmspinning");
}

G* stealwork(P* p, int64_t now) noexcept {
  auto n = static_cast<uint32_t>(sched.gomaxprocs.load(kRelaxed));
  for (int round = 0; round < 4; round++) {
    bool last = round == 3;
    // A random start and a stride coprime with n visit each P once, in an order that differs per
    // thief.
    uint32_t random = next_random(p);
    uint32_t at = random % n;
    uint32_t stride = 1 + (random >> 12) % n;
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
      if (G* gp = runqsteal(p, victim, last)) return gp;
    }
  }
  return nullptr;
}

// Makes goroutines ready that the poller has found, on p (null: in the global queue).
void ready_all_from(P* p, gqueue found) noexcept {
  while (G* gp = found.pop_front()) ready_from(p, gp, false);
}

// Sleeps in the poller, without a P, until the network or a timer (`when`; 0: none) has something
// for goroutines to do, if no other M does so already. False: one does.
bool poll_for_work(int64_t when, gqueue* found) noexcept {
  bool nobody = false;
  if (!sched.polling.compare_exchange_strong(nobody, true)) return false;
  sched.lastpoll.store(0);
  sched.poll_until.store(when ? when : INT64_MAX);
  // A timer that was added before poll_until was visible did not wake us.
  int64_t earliest = next_timer();
  if (earliest != 0 && (when == 0 || earliest < when)) when = earliest;
  int64_t delay = -1;
  if (when != 0) {
    int64_t now = nanotime();
    delay = when > now ? when - now : 0;
  }
  *found = netpoll(delay);
  sched.lastpoll.store(nanotime());
  sched.poll_until.store(0);
  sched.polling.store(false);
  return true;
}

// Nothing was found: gives the P up, unless there is something after all (then a goroutine, or null
// and the M still has a P).
G* give_up_p(M* m, P* p) noexcept {
  std::scoped_lock hold(sched.lock);
  if (sched.stopping.load(kRelaxed)) return nullptr;
  if (sched.runq.len != 0) return globrunqget(p, 0);
  if (!m->spinning && sched.needspinning.load()) {
    start_spinning(m);
    sched.needspinning.store(false);
    return nullptr;
  }
  releasep(m);
  pidleput(p);
  return nullptr;
}

// Takes an idle P to look for work with. False: there is none.
bool look_again(M* m) noexcept {
  P* p = take_idle_p();
  if (!p) return false;
  acquirep(m, p);
  start_spinning(m);
  return true;
}

// What there is to run for an M with a P, without giving it up; null: nothing.
G* look_for_work(M* m, P* p, bool* inherit) noexcept {
  if (p->preempt.load(kRelaxed)) {
    p->preempt.store(false, kRelaxed);
    runqkicknext(p);
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
  if (is_perturbing() && perturb_one_in(p, 4)) runqkicknext(p);
  if (G* gp = runqget(p, inherit)) return gp;
  if (sched.runqsize.load(kRelaxed) != 0) {
    std::scoped_lock hold(sched.lock);
    if (G* gp = globrunqget(p, 0)) return gp;
  }
  if (netpollanywaiters() && !sched.polling.load(kRelaxed)) {
    record(p->stats.polls);
    ready_all_from(p, netpoll(0));
    sched.lastpoll.store(nanotime(), kRelaxed);
    if (G* gp = runqget(p, inherit)) return gp;
  }
  // At most half of the busy Ps' Ms look for work at others at a time.
  int busy = sched.gomaxprocs.load(kRelaxed) - sched.npidle.load(kRelaxed);
  if (!m->spinning && 2 * sched.nmspinning.load(kRelaxed) >= busy) return nullptr;
  if (!m->spinning) {
    start_spinning(m);
    record(p->stats.spins);
  }
  return stealwork(p, now ? now : nanotime());
}

// The next goroutine to run, off its queue. Blocks; the M has a P before and after, not always the
// same. Null: the thread is to end.
G* findrunnable(M* m, bool* inherit) noexcept {
  for (;;) {
    *inherit = false;
    if (sched.stopping.load(std::memory_order_acquire)) {
      if (!gcstopm(m)) return nullptr;
      continue;
    }
    P* p = m->p.load(kRelaxed);
    if (G* gp = look_for_work(m, p, inherit)) return gp;
    if (G* gp = give_up_p(m, p)) return gp;
    if (m->p.load(kRelaxed)) continue;
    // Work may have been put between our last look and nmspinning's decrease, by somebody who saw
    // us spinning and so woke nobody; or, where nobody spins, before our P was idle, by somebody
    // who saw no idle one.
    const bool spun = m->spinning;
    if (spun) stop_spinning(m);
    if (spun || sched.nmspinning.load() == 0) {
      fence_all_threads();
      if (work_anywhere() && look_again(m)) continue;
    }
    int64_t when = next_timer();
    gqueue found;
    if ((when != 0 || netpollanywaiters()) && poll_for_work(when, &found)) {
      if (look_again(m)) {
        ready_all_from(m->p.load(kRelaxed), found);
        continue;
      }
      ready_all_from(nullptr, found);
    }
    if (!stopm(m)) return nullptr;
  }
}

// The M runs the goroutine that it is locked to, and nothing else: it sleeps until that one's turn.
void await_locked_g(M* m) noexcept {
  if (m->p.load(kRelaxed)) handoffp(releasep(m));
  {
    std::scoped_lock hold(sched.lock);
    sched.nmidlelocked.fetch_add(1);
    checkdead();
  }
  // Its goroutine may have got in line when the last P had just become idle.
  if (sched.runqsize.load() != 0) wakep();
  m->park.sleep();
  m->park.clear();
  acquirep(m, std::exchange(m->nextp, nullptr));
  execute(m, m->locked_g, false);
}

// gp may run on its own M only: gives that M our P. False: the thread is to end.
bool hand_to_locked_m(M* m, G* gp) noexcept {
  M* owner = gp->locked_m;
  P* p = releasep(m);
  {
    std::scoped_lock hold(sched.lock);
    sched.nmidlelocked.fetch_sub(1);
  }
  owner->nextp = p;
  owner->park.wake();
  return stopm(m);
}

}  // namespace

void mstart_loop(M* m) noexcept {
  for (;;) {
    if (m->locked_g) {
      await_locked_g(m);
      continue;
    }
    if (m->doomed) {
      if (m->p.load(kRelaxed)) handoffp(releasep(m));
      std::scoped_lock hold(sched.lock);
      sched.mcount--;
      return;
    }
    if (m->p.load(kRelaxed) == nullptr) {
      // The goroutine that ran here had lost its P: an idle one, or the end of this M's work for
      // now.
      if (P* p = take_idle_p()) {
        acquirep(m, p);
      } else if (!stopm(m)) {
        return;
      }
    }
    bool inherit = false;
    G* gp = std::exchange(m->nextg, nullptr);
    if (!gp) gp = findrunnable(m, &inherit);
    if (!gp) return;
    if (m->spinning) {
      // The last to stop spinning hands the torch on, now that there is work. Go: resetspinning.
      stop_spinning(m);
      wakep();
    }
    if (gp->locked_m) {
      if (!hand_to_locked_m(m, gp)) return;
      continue;
    }
    execute(m, gp, inherit);
  }
}

bool work_anywhere() noexcept {
  if (sched.runqsize.load() != 0) return true;
  int n = sched.gomaxprocs.load(kRelaxed);
  for (int i = 0; i < n; i++) {
    if (!runqempty(allp[i])) return true;
  }
  return false;
}

void wakep() noexcept {
  // What was queued by plain stores must be visible before we look for an idle P and for somebody
  // who spins: with membarrier(2), who stops spinning pays for that (findrunnable).
  if (have_membarrier) [[likely]] {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
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
  if (sched.polling.load()) {
    int64_t until = sched.poll_until.load();
    if (until == 0 || until > when) netpollbreak();
  } else {
    wakep();  // somebody must sleep until then
  }
}

void poll_if_due(int64_t now) noexcept {
  int64_t last = sched.lastpoll.load();
  if (last == 0 || now - last < kPollAtLeast || !netpollanywaiters()) return;
  if (!sched.lastpoll.compare_exchange_strong(last, now)) return;
  sched.sysmon_polls.store(true);
  ready_all_from(nullptr, netpoll(0));
  sched.sysmon_polls.store(false);
}

}  // namespace weir::rt
