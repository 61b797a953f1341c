// Ms and Ps: threads, who has which P, stopping the world (m.h).

#include "m.h"

#include <cxxabi.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mutex>
#include <new>
#include <utility>

#include "clock.h"
#include "fatal.h"
#include "netpoll.h"
#include "perturb.h"
#include "profiling.h"
#include "runq.h"
#include "sanitize.h"
#include "schedule.h"
#include "scope.h"
#include "signals.h"
#include "stack.h"
#include "stats.h"
#include "syscall.h"
#include "sysmon.h"
#include "timer.h"
#include "tls.h"

namespace weir::rt {

P* allp[kMaxProcs];

bool have_membarrier = [] {
  return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}();

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr int64_t kIdleThread = 5'000'000'000;  // ns until an M that nobody needs ends

bool membarrier_works() noexcept {
  return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

// The thread of an M.
void* mstart(void* arg) {
  auto* m = static_cast<M*>(arg);
  m->tid.store(gettid(), kRelaxed);
  m->eh = reinterpret_cast<eh_globals*>(abi::__cxa_get_globals());
  G* g0 = &m->g0;
  g0->m.store(m, kRelaxed);
  g0->status.store(Grunning, kRelaxed);
  pthread_attr_t attr;
  void* lo;
  size_t size;
  if (pthread_getattr_np(pthread_self(), &attr) != 0) fatal_error("pthread_getattr_np failed");
  pthread_attr_getstack(&attr, &lo, &size);
  pthread_attr_destroy(&attr);
  g0->stack_lo = reinterpret_cast<uintptr_t>(lo);
  g0->stack_hi = g0->stack_lo + size;
  sanitizer_thread(g0);
  pthread_setname_np(pthread_self(), "weir-m");
  void* signal_stack = install_signal_stack();
  thread_event();
  tls_box = &m->box;
  tls_setg(g0);
  m->inruntime.store(true, kRelaxed);
  acquirep(m, std::exchange(m->nextp, nullptr));
  mstart_loop(m);
  // Nobody asks this thread from here on; one who is asking gets his answer first.
  m->box.lock.lock();
  m->tid.store(0, kRelaxed);
  tls_box = nullptr;
  m->box.lock.unlock();
  tls_setg(nullptr);
  remove_signal_stack(signal_stack);
  std::scoped_lock hold(sched.lock);
  m->schedlink = sched.mfree;
  sched.mfree = m;
  return nullptr;
}

// An M without a thread, counted; null: there are too many.
M* allocm() noexcept {
  M* m = nullptr;
  {
    std::scoped_lock hold(sched.lock);
    if (sched.mcount >= sched.max_threads) return nullptr;
    sched.mcount++;
    m = sched.mfree;
    if (m) {
      sched.mfree = m->schedlink;
    }
  }
  if (m) {
    // All but the mailbox: somebody may be looking at it.
    m->p.store(nullptr, kRelaxed);
    m->prev = m->nextg = m->locked_g = nullptr;
    m->spinning = m->idle = m->doomed = false;
    m->park.clear();
    return m;
  }
  m = new (std::nothrow) M();  // type-stable: never freed
  if (!m) fatal_error("out of memory for a thread");
  std::scoped_lock hold(sched.lock);
  m->id = sched.mids++;
  return m;
}

// A new thread for p, when no parked one is left.
void newm(P* p, bool spinning) noexcept {
  M* m = allocm();
  if (!m) {
    begin_death();
    raw_print("runtime: program exceeds ");
    raw_print_u64(static_cast<uint64_t>(sched.max_threads));
    raw_print("-thread limit\nfatal error: thread exhaustion\n\n");
    dump_and_exit();
  }
  sched.threads.fetch_add(1, kRelaxed);
  m->nextp = p;
  m->spinning = spinning;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  // g0 runs the scheduler only; goroutines bring their own stacks.
  if (!kSanitized) pthread_attr_setstacksize(&attr, 512 << 10);
  pthread_t thread;
  int err = pthread_create(&thread, &attr, mstart, m);
  pthread_attr_destroy(&attr);
  if (err != 0) {
    begin_death();
    raw_print("runtime: failed to create new OS thread (have ");
    raw_print_u64(static_cast<uint64_t>(sched.mcount.load() - 1));
    raw_print(" already; errno=");
    raw_print_u64(static_cast<uint64_t>(err));
    raw_print(")\nfatal error: newm: may need to increase max user processes (ulimit -u)\n\n");
    dump_and_exit();
  }
}

// Threads of this process; 0: not known.
int count_threads() noexcept {
  struct stat st;
  return stat("/proc/self/task", &st) == 0 ? static_cast<int>(st.st_nlink) - 2 : 0;
}

}  // namespace

void fence_all_threads() noexcept {
  if (!have_membarrier) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else if (!membarrier_works()) {
    fatal_error("membarrier(2) is refused since weir::run began: allow it, or forbid it before");
  }
}

void check_membarrier() noexcept {
  if (have_membarrier && !membarrier_works()) have_membarrier = false;
}

void await_retake(M* m) noexcept {
  while (m->retake.load(std::memory_order_acquire)) {
    sched.retake_lock.lock();
    sched.retake_lock.unlock();
  }
}

void acquirep(M* m, P* p) noexcept {
  m->p.store(p, kRelaxed);
  p->m.store(m, kRelaxed);
  p->status.store(Prunning, std::memory_order_release);
  sched.coarse_ticks.store(cputicks(), kRelaxed);
}

P* releasep(M* m) noexcept {
  P* p = m->p.load(kRelaxed);
  m->p.store(nullptr, kRelaxed);
  p->m.store(nullptr, kRelaxed);
  p->status.store(Pidle, std::memory_order_release);
  return p;
}

void pidleput(P* p) noexcept {
  p->status.store(Pidle, kRelaxed);
  p->link = sched.pidle;
  sched.pidle = p;
  sched.npidle.fetch_add(1);
}

P* pidleget() noexcept {
  P* p = sched.pidle;
  if (p) {
    sched.pidle = p->link;
    sched.npidle.fetch_sub(1);
  }
  return p;
}

P* take_idle_p() noexcept {
  P* p = nullptr;
  if (sched.npidle.load() != 0) {
    std::scoped_lock hold(sched.lock);
    if (!sched.stopping.load(kRelaxed)) p = pidleget();
  }
  if (p) wake_sysmon();  // it sleeps while all Ps are idle
  return p;
}

void startm(P* p, bool spinning) noexcept {
  M* m;
  {
    std::scoped_lock hold(sched.lock);
    m = sched.midle;
    if (m) {
      sched.midle = m->schedlink;
      sched.nmidle--;
      m->idle = false;
    }
  }
  if (!m) {
    newm(p, spinning);
    wake_sysmon();
    return;
  }
  m->spinning = spinning;
  m->nextp = p;
  m->park.wake();
  wake_sysmon();
}

bool stopm(M* m) noexcept {
  bool surplus;
  {
    std::scoped_lock hold(sched.lock);
    m->schedlink = sched.midle;
    sched.midle = m;
    m->idle = true;
    sched.nmidle++;
    // The latest are started first: those that came before the list was this long stay, the others
    // end when nobody needs them.
    surplus = sched.nmidle > sched.gomaxprocs.load(kRelaxed);
    checkdead();
  }
  while (!m->park.sleep_for(surplus ? kIdleThread : -1)) {
    if (!surplus) continue;
    std::scoped_lock hold(sched.lock);
    if (!m->idle) continue;  // about to be woken
    M** at = &sched.midle;
    while (*at != m) at = &(*at)->schedlink;
    *at = m->schedlink;
    m->idle = false;
    sched.nmidle--;
    sched.mcount--;
    return false;
  }
  m->park.clear();
  acquirep(m, std::exchange(m->nextp, nullptr));
  return true;
}

void handoffp(P* p) noexcept {
  sched.handoffs.fetch_add(1, kRelaxed);
  if (!runqempty(p) || sched.runqsize.load() != 0) {
    startm(p, false);
    return;
  }
  int none = 0;
  if (sched.nmspinning.load() + sched.npidle.load() == 0 &&
      sched.nmspinning.compare_exchange_strong(none, 1)) {
    sched.needspinning.store(false);
    startm(p, true);
    return;
  }
  bool first = false;
  {
    std::scoped_lock hold(sched.lock);
    if (sched.stopping.load(kRelaxed)) {
      p->status.store(Pgcstop, kRelaxed);
      if (--sched.stopwait == 0) sched.stopnote.wake();
      return;
    }
    if (sched.runq.len == 0) {
      first = sched.npidle.load(kRelaxed) == 0;
      pidleput(p);
      p = nullptr;
    }
  }
  if (p) {
    startm(p, false);
    return;
  }
  // Who has put work just now, and saw no idle P, has woken nobody (findrunnable).
  if (first && sched.nmspinning.load() == 0) {
    fence_all_threads();
    if (work_anywhere()) wakep();
  }
  if (int64_t when = next_timer()) {
    wake_for_timer(when);
  } else if (netpollanywaiters() && !sched.polling.load()) {
    wakep();  // somebody must wait for the network
  }
}

bool gcstopm(M* m) noexcept {
  if (m->spinning) {
    m->spinning = false;
    sched.nmspinning.fetch_sub(1);
  }
  {
    std::scoped_lock hold(sched.lock);
    if (!sched.stopping.load(kRelaxed)) return true;  // over already
    P* p = releasep(m);
    p->status.store(Pgcstop, kRelaxed);
    if (--sched.stopwait == 0) sched.stopnote.wake();
  }
  return stopm(m);
}

bool retake(P* p) noexcept {
  std::scoped_lock hold(sched.retake_lock);
  M* m = p->m.load(kRelaxed);
  if (!m || p->status.load(std::memory_order_acquire) != Prunning) return false;
  m->retake.store(true);
  fence_all_threads();
  bool ours = !m->inruntime.load() && m->p.load(kRelaxed) == p;
  if (ours) {
    m->p.store(nullptr, kRelaxed);
    p->m.store(nullptr, kRelaxed);
    p->status.store(Pidle, kRelaxed);
    if (p->insyscall.exchange(false, kRelaxed)) {
      p->calls_are_long.store(true, kRelaxed);
    }
    sched.retakes.fetch_add(1, kRelaxed);
  }
  m->retake.store(false, std::memory_order_release);
  return ours;
}

void stop_the_world() noexcept {
  int n = sched.gomaxprocs.load(kRelaxed);
  {
    std::scoped_lock hold(sched.lock);
    sched.stopnote.clear();
    sched.stopwait = n;
    sched.stopping.store(true);
    while (P* p = pidleget()) {
      p->status.store(Pgcstop, kRelaxed);
      sched.stopwait--;
    }
    if (sched.stopwait == 0) return;
  }
  do {
    for (int i = 0; i < n; i++) {
      allp[i]->preempt.store(true, kRelaxed);
      if (!retake(allp[i])) continue;
      std::scoped_lock hold(sched.lock);
      allp[i]->status.store(Pgcstop, kRelaxed);
      if (--sched.stopwait == 0) return;
    }
  } while (!sched.stopnote.sleep_for(100'000));
}

void start_the_world() noexcept {
  int n = sched.gomaxprocs.load(kRelaxed);
  P* with_work = nullptr;
  {
    std::scoped_lock hold(sched.lock);
    sched.stopping.store(false);
    for (int i = n - 1; i >= 0; i--) {
      P* p = allp[i];
      p->preempt.store(false, kRelaxed);
      if (runqempty(p)) {
        pidleput(p);
      } else {
        p->status.store(Pidle, kRelaxed);
        p->link = with_work;
        with_work = p;
      }
    }
  }
  while (P* p = with_work) {
    with_work = p->link;
    startm(p, false);
  }
  wakep();  // at least one M looks at the global queue and the timers
}

void newp(int id) {
  P* p = allp[id] = new P();
  p->id = id;
  p->rng = static_cast<uint64_t>(nanotime()) + static_cast<uint64_t>(id) * 0x9e3779b97f4a7c15u;
}

void procresize(int n) {
  int old = sched.gomaxprocs.load(kRelaxed);
  for (int i = 0; i < n; i++) {
    if (!allp[i]) newp(i);
    allp[i]->status.store(Pgcstop, kRelaxed);
  }
  for (int i = n; i < old; i++) {
    P* p = allp[i];
    {
      std::scoped_lock hold(sched.lock);
      runqdrain(p);
    }
    movetimers(p, allp[0]);
    gfpurge(p);
    move_stats(p->stats, sched.stats);
    p->status.store(Pdead, kRelaxed);
  }
  sched.gomaxprocs.store(n, std::memory_order_release);
}

void checkdead() noexcept {
  // An M that is not parked runs a goroutine (perhaps without a P), spins, or is in the poller.
  if (sched.nmidle + sched.nmidlelocked < sched.mcount || !sched.in_run.load(kRelaxed) ||
      sched.stopping.load(kRelaxed))
    return;
  if (sched.nmspinning.load() > 0 || sched.runq.len != 0 || next_timer() != 0) return;
  if (sched.sysmon_polls.load()) return;  // it may hold goroutines that are in no queue yet
  if (blocking_line() > 0) return;        // sysmon lets one of them through, who may wake others
  // A thread that is not ours may wake somebody at any time: then nothing is certain. Ours are the
  // Ms, sysmon and the one that is in run(), and observers' helpers.
  constexpr int kOfSanitizer =
#if defined(WEIR_TSAN)
      1;
#else
      0;
#endif
  if (count_threads() != sched.mcount + 2 + sched.helpers.load() + kOfSanitizer) return;
  int n = sched.gomaxprocs.load(kRelaxed);
  for (int i = 0; i < n; i++) {
    if (!runqempty(allp[i])) return;
  }
  sched.lock.unlock();
  fatal_error(num_goroutine() == 0 ? "no goroutines (main called runtime.Goexit) - deadlock!"
                                   : "all goroutines are asleep - deadlock!");
}

}  // namespace weir::rt
