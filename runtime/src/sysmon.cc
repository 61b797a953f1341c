// sysmon (sysmon.h).

#include "sysmon.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>

#include "clock.h"
#include "fatal.h"
#include "futex.h"
#include "m.h"
#include "reclaim.h"
#include "runq.h"
#include "runtime2.h"
#include "schedule.h"
#include "stats.h"
#include "syscall.h"

namespace weir::rt {

namespace {

constexpr int64_t kMinDelay = 20'000, kMaxDelay = 10'000'000;  // ns, Go's
constexpr int64_t kLinger =
    100'000'000;  // ns that nothing must have run before it sleeps until woken:
                  // to be woken by each short burst costs more than to look
constexpr int64_t kTimeSlice = 10'000'000;  // ns, Go's forcePreemptNS

std::atomic<uint32_t> wake_word{0};
std::atomic<bool> deep_asleep{false};
std::atomic<bool> started{false};
thread_local bool is_sysmon = false;

std::atomic<int64_t> trace_period{0};  // ns, 0: off
const int64_t started_at = nanotime();

bool nothing_runs() noexcept {
  return sched.stopping.load() || sched.npidle.load() == sched.gomaxprocs.load();
}

// Somebody waits for the P that this goroutine occupies.
bool others_wait(P* p, int64_t now) noexcept {
  if (!runqempty(p) || sched.runqsize.load(std::memory_order_relaxed) != 0) return true;
  int64_t when = p->timer0_when.load(std::memory_order_relaxed);
  return when != 0 && when <= now;
}

// p's goroutine has been in one blocking call for at least one round of sysmon. Where nobody needs
// the P it is left alone for 10 ms, so that many short calls do not cost a hand-over each; not
// longer, or sysmon would go on watching it.
bool stuck_in_syscall(P* p, int64_t now) noexcept {
  if (!p->insyscall.load(std::memory_order_relaxed)) return false;
  uint32_t tick = p->syscalltick.load(std::memory_order_relaxed);
  if (tick != p->seen_syscalltick) {
    p->seen_syscalltick = tick;
    p->seen_syscallwhen = now;
    return false;
  }
  bool needed = others_wait(p, now) || sched.nmspinning.load() + sched.npidle.load() == 0;
  return needed || now - p->seen_syscallwhen >= kTimeSlice;
}

// p's goroutine has had its time slice, and others wait.
bool ran_too_long(P* p, int64_t now) noexcept {
  uint32_t tick = p->schedtick.load(std::memory_order_relaxed);
  if (tick != p->seen_tick || p->status.load(std::memory_order_relaxed) != Prunning) {
    p->seen_tick = tick;
    p->seen_when = now;
    return false;
  }
  return now - p->seen_when >= kTimeSlice && others_wait(p, now);
}

// Takes Ps whose goroutine blocks in the kernel or has had its time slice. Returns how many.
int retake_all(int64_t now) noexcept {
  int taken = 0;
  int n = sched.gomaxprocs.load(std::memory_order_acquire);
  for (int i = 0; i < n; i++) {
    P* p = allp[i];
    bool too_long = ran_too_long(p, now);
    if (too_long) p->preempt.store(true, std::memory_order_relaxed);  // for one inside the runtime
    if ((!too_long && !stuck_in_syscall(p, now)) || !retake(p)) continue;
    p->preempt.store(false, std::memory_order_relaxed);
    p->seen_when = now;
    handoffp(p);
    taken++;
  }
  return taken;
}

// What is due each round. True: something was done, so the next round comes soon.
bool watch(int64_t now) noexcept {
  sched.coarse_ticks.store(cputicks(), std::memory_order_relaxed);
  poll_if_due(now);
  grow_blocking(now);  // looked at each 10 ms at least, which is its patience
  reclaim_stacks(now, /*idle=*/false);
  return retake_all(now) != 0;
}

// Prints the scheduler's state when that is due. Returns in how many ns it is due again; negative:
// never.
int64_t trace(int64_t now) noexcept {
  static int64_t next = 0;
  int64_t period = trace_period.load();
  if (period == 0) return -1;
  if (now >= next) {
    print_schedtrace((now - started_at) / 1'000'000);
    next = now + period;
  }
  return next - now;
}

// Sleeps until wake_sysmon, at most `limit` ns (negative: no limit). False: woken.
bool sleep_deep(uint32_t word, int64_t limit) noexcept {
  int64_t until_trace = trace(nanotime());
  if (until_trace >= 0 && (limit < 0 || until_trace < limit)) limit = until_trace;
  futex_wait(&wake_word, word, limit);
  return wake_word.load() == word;
}

// Returns in how many ns stacks want to be looked at again although nothing runs; negative: never.
int64_t reclaim_when_idle(int64_t now) noexcept {
  int64_t next = reclaim_stacks(now, /*idle=*/true);
  return next == 0 ? -1 : std::max<int64_t>(next - now, 0);
}

// Until wake_sysmon. A thread of somebody else's, that has ended since the last M went to sleep,
// may have hidden that all goroutines are asleep for good; so that is looked at again, three times.
void sleep_while_nothing_runs(uint32_t word) noexcept {
  for (int64_t limit = 10'000'000; limit <= 1'000'000'000; limit *= 10) {
    if (!nothing_runs() || !sleep_deep(word, limit)) return;
    std::scoped_lock hold(sched.lock);
    checkdead();
  }
  while (nothing_runs() && sleep_deep(word, reclaim_when_idle(nanotime()))) {
  }
}

void* sysmon(void*) {
  is_sysmon = true;
  pthread_setname_np(pthread_self(), "weir-sysmon");
  int idle = 0;
  int64_t delay = kMinDelay, now = nanotime(), quiet_since = now;
  for (;;) {
    uint32_t word = wake_word.load();
    serve_dump_request();
    calibrate_ticks();
    // While goroutines are in line for blocking calls somebody must see whether it moves.
    bool quiet = nothing_runs() && blocking_line() == 0;
    if (!quiet) quiet_since = now;
    if (now - quiet_since >= kLinger) {
      deep_asleep.store(true);
      sleep_while_nothing_runs(word);
      deep_asleep.store(false);
      now = quiet_since = nanotime();
      reclaim_stacks(now, /*idle=*/false);
      idle = 0;
      continue;
    }
    delay = quiet       ? kMaxDelay
            : idle == 0 ? kMinDelay
            : idle > 50 ? std::min(delay * 2, kMaxDelay)
                        : delay;
    futex_wait(&wake_word, word, delay);
    now = nanotime();
    trace(now);
    idle = watch(now) ? 0 : idle + 1;
  }
}

}  // namespace

void start_sysmon() {
  if (started.exchange(true)) return;
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int err = pthread_create(&thread, nullptr, sysmon, nullptr);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (err != 0) {
    started.store(false);
    throw std::runtime_error("weir::run: cannot create the sysmon thread");
  }
  pthread_detach(thread);
}

void set_schedtrace(int64_t period) noexcept { trace_period.store(period); }

void wake_sysmon(bool dump) noexcept {
  if (!dump && !deep_asleep.load()) return;
  wake_word.fetch_add(1);
  futex_wake(&wake_word);
}

bool on_sysmon() noexcept { return is_sysmon; }
bool have_sysmon() noexcept { return started.load(); }

}  // namespace weir::rt
