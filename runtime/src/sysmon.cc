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
#include "runq.h"
#include "runtime2.h"

namespace weir::rt {

namespace {

constexpr int64_t kMinDelay = 20'000, kMaxDelay = 10'000'000;  // ns, Go's
constexpr int64_t kTimeSlice = 10'000'000;                     // ns, Go's forcePreemptNS

std::atomic<uint32_t> wake_word{0};
std::atomic<bool> deep_asleep{false};
std::atomic<bool> started{false};
thread_local bool is_sysmon = false;

bool nothing_runs() noexcept {
  return sched.stopping.load() || sched.npidle.load() == sched.gomaxprocs.load();
}

// Somebody waits for the P that this goroutine occupies.
bool others_wait(P* p, int64_t now) noexcept {
  if (!runqempty(p) || sched.runqsize.load(std::memory_order_relaxed) != 0) return true;
  int64_t when = p->timer0_when.load(std::memory_order_relaxed);
  return when != 0 && when <= now;
}

// Takes Ps whose goroutine has had its time slice. Returns how many.
int retake_all(int64_t now) noexcept {
  int taken = 0;
  int n = sched.gomaxprocs.load(std::memory_order_acquire);
  for (int i = 0; i < n; i++) {
    P* p = allp[i];
    uint32_t tick = p->schedtick.load(std::memory_order_relaxed);
    if (tick != p->seen_tick || p->status.load(std::memory_order_relaxed) != Prunning) {
      p->seen_tick = tick;
      p->seen_when = now;
      continue;
    }
    if (now - p->seen_when < kTimeSlice || !others_wait(p, now)) continue;
    p->preempt.store(true, std::memory_order_relaxed);  // for one that is inside the runtime
    if (retake(p)) {
      p->preempt.store(false, std::memory_order_relaxed);
      p->seen_when = now;
      handoffp(p);
      taken++;
    }
  }
  return taken;
}

// Until wake_sysmon. A thread of somebody else's, that has ended since the last M went to sleep,
// may have hidden that all goroutines are asleep for good; so that is looked at again, three times.
void sleep_while_nothing_runs(uint32_t word) noexcept {
  for (int64_t limit = 10'000'000; limit <= 1'000'000'000; limit *= 10) {
    if (!nothing_runs()) return;
    futex_wait(&wake_word, word, limit);
    if (wake_word.load() != word) return;
    std::scoped_lock hold(sched.lock);
    checkdead();
  }
  if (nothing_runs()) futex_wait(&wake_word, word);
}

void* sysmon(void*) {
  is_sysmon = true;
  pthread_setname_np(pthread_self(), "weir-sysmon");
  int idle = 0;
  int64_t delay = kMinDelay;
  for (;;) {
    uint32_t word = wake_word.load();
    serve_dump_request();
    if (nothing_runs()) {
      deep_asleep.store(true);
      sleep_while_nothing_runs(word);
      deep_asleep.store(false);
      idle = 0;
      delay = kMinDelay;
      continue;
    }
    if (idle == 0) {
      delay = kMinDelay;
    } else if (idle > 50) {
      delay = std::min(delay * 2, kMaxDelay);
    }
    futex_wait(&wake_word, word, delay);
    idle = retake_all(nanotime()) ? 0 : idle + 1;
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

void wake_sysmon(bool dump) noexcept {
  if (!dump && !deep_asleep.load()) return;
  wake_word.fetch_add(1);
  futex_wake(&wake_word);
}

bool on_sysmon() noexcept { return is_sysmon; }
bool have_sysmon() noexcept { return started.load(); }

}  // namespace weir::rt
