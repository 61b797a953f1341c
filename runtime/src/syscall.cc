// Blocking calls (syscall.h), and goroutines that are locked to their thread.

#include "syscall.h"

#include <weir/blocking.h>

#include <sched.h>

#include <mutex>

#include "clock.h"
#include "m.h"
#include "proc.h"
#include "runq.h"
#include "scope.h"
#include "sema.h"
#include "tls.h"

namespace weir {

namespace rt {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint64_t kLong = 20'000;         // ns, sysmon's first look: worth a hand-over
constexpr int64_t kPatience = 10'000'000;  // ns that the line may stand still

// Its permits are the blocking calls that may begin.
sema turns;
std::atomic<int> max_blocking{0};
std::atomic<int> admitted{0};         // permits that grow_blocking added
std::atomic<uint64_t> departures{0};  // calls that ended

// sysmon's alone
uint64_t seen_departures = 0;
int64_t seen_when = 0;

// Keeps a permit that grow_blocking added, now that nobody is in line.
bool retire_permit() noexcept {
  int n = admitted.load(kRelaxed);
  while (n > 0 && turns.waiters.load() == 0) {
    if (admitted.compare_exchange_weak(n, n - 1, kRelaxed)) return true;
  }
  return false;
}

// Where the caller of the caller stands: all that a walk of its stack needs while its frames stand
// still.
[[gnu::always_inline]] inline void save_caller(G* gp, const void* pc, const void* cfa,
                                               const void* frame) noexcept {
  gp->syscall_pc = reinterpret_cast<uintptr_t>(pc);
  gp->syscall_sp = reinterpret_cast<uintptr_t>(cfa);
  gp->syscall_fp = *static_cast<const uintptr_t*>(frame);
}

}  // namespace

void set_max_blocking(int n) noexcept {
  int change = n - max_blocking.exchange(n);
  turns.permits.fetch_add(static_cast<uint32_t>(change));
}

void grow_blocking(int64_t now) noexcept {
  uint64_t n = departures.load(kRelaxed);
  if (turns.waiters.load() == 0) {
    seen_when = 0;
  } else if (n != seen_departures || seen_when == 0) {
    seen_departures = n;
    seen_when = now;
  } else if (now - seen_when >= kPatience) {
    seen_when = now;
    admitted.fetch_add(1);
    if (G* gp = semgive(turns)) ready_from(nullptr, gp, false);
  }
}

int blocking_line() noexcept { return static_cast<int>(turns.waiters.load(kRelaxed)); }
int blocking_now() noexcept {
  return max_blocking.load(kRelaxed) + admitted.load(kRelaxed) -
         static_cast<int>(turns.permits.load(kRelaxed));
}

void give_turn_back(P* p) noexcept {
  departures.fetch_add(1, kRelaxed);
  if (retire_permit()) return;
  if (G* next = semgive(turns)) ready_from(p, next, false);
}

void leave_syscall(P* p, G* gp) noexcept {
  if (p) {
    p->insyscall.store(false, kRelaxed);
    count(p->syscalltick);
  }
  casgstatus(gp, Gsyscall, Grunning);
}

}  // namespace rt

namespace detail {

[[gnu::noinline]] bool enter_blocking() {
  using namespace rt;
  G* gp = getg();
  if (gp->is_thread || gp->status.load(kRelaxed) != Grunning) return false;  // or in one already
  semacquire(turns, false, introspect::WaitReason::semacquire, nullptr);
  save_caller(gp, __builtin_return_address(0), __builtin_dwarf_cfa(), __builtin_frame_address(0));
  M* m = gp->m.load(kRelaxed);
  P* p = enter_runtime(m);
  gp->syscall_p = p;
  if (p) {
    record(p->stats.syscalls);
    count(p->syscalltick);
    if (p->calls_are_long.load(kRelaxed) && (!runqempty(p) || sched.runqsize.load(kRelaxed) != 0)) {
      handoffp(releasep(m));
    } else {
      p->insyscall.store(true, kRelaxed);
    }
  }
  uint64_t now = cputicks();
  if (sched.cpu_accounting.load(kRelaxed)) count(gp->cpu_ticks, now - gp->since.load(kRelaxed));
  gp->since.store(now, kRelaxed);
  gp->status.store(Gsyscall, std::memory_order_seq_cst);
  leave_runtime(m);
  // Who asked for our stack before he could know has sent a signal, or will: it must not interrupt
  // the call.
  for (int spins = 1; m->box.state.load(std::memory_order_seq_cst) == mailbox::kPending; spins++) {
    if (spins % 100 == 0) sched_yield();
    cpu_pause();
  }
  return true;
}

void exit_blocking() noexcept {
  using namespace rt;
  G* gp = tls_getg();
  if (gp->status.load(kRelaxed) == Grunning) return;  // it has parked, and left the call by that
  M* m = gp->m.load(kRelaxed);
  P* p = enter_runtime(m);
  leave_syscall(p, gp);
  uint64_t now = cputicks();
  bool is_long = ticks_to_ns(now - gp->since.load(kRelaxed)) > kLong;
  gp->since.store(now, kRelaxed);
  if (!p) p = regain_p(m, gp);
  // The turn ends only now, when the thread is no longer the call's: else more threads than turns
  // would be on their way out of calls.
  if (gp->syscall_p) gp->syscall_p->calls_are_long.store(is_long, kRelaxed);
  if (p) {
    give_turn_back(p);
    leave_runtime(m);
  } else {  // it was in line for a P, and the scope is over
    departures.fetch_add(1, kRelaxed);
    if (!retire_permit()) semrelease(turns, false);
  }
}

}  // namespace detail

void lock_os_thread() {
  using namespace rt;
  G* gp = getg();
  if (gp->is_thread || gp->lock_depth++ != 0) return;
  M* m = gp->m.load(kRelaxed);
  m->locked_g = gp;
  gp->locked_m = m;
}

void unlock_os_thread() {
  using namespace rt;
  G* gp = getg();
  if (gp->is_thread || gp->lock_depth == 0 || --gp->lock_depth != 0) return;
  gp->locked_m->locked_g = nullptr;
  gp->locked_m = nullptr;
}

}  // namespace weir
