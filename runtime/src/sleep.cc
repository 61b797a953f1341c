// sleep_for, sleep_until.

#include <weir/context.h>
#include <weir/time.h>

#include <cerrno>
#include <ctime>

#include "cancel.h"
#include "clock.h"
#include "proc.h"
#include "timer.h"
#include "tls.h"

namespace weir::detail {

namespace {

// On a plain thread: by the kernel, but seen as a wait.
void thread_sleep(rt::G* gp, int64_t until) noexcept {
  gp->waitreason = rt::WaitReason::sleep;
  gp->waitobj = nullptr;
  gp->since.store(rt::cputicks(), std::memory_order_relaxed);
  gp->status.store(rt::Gwaiting, std::memory_order_release);
  timespec t = {static_cast<time_t>(until / 1'000'000'000),
                static_cast<long>(until % 1'000'000'000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr) == EINTR) {
  }
  gp->since.store(rt::cputicks(), std::memory_order_relaxed);
  gp->status.store(rt::Grunning, std::memory_order_release);
}

void park_until(int64_t when) {
  rt::G* gp = rt::getg();
  if (gp->is_thread) {
    thread_sleep(gp, when);
    return;
  }
  // Into the heap of the P that the M has when the goroutine is parked.
  auto commit = [](rt::G* g, void* arg) {
    rt::M* m = rt::tls_getg()->m.load(std::memory_order_relaxed);
    rt::addsleeper(m->p.load(std::memory_order_relaxed), *static_cast<int64_t*>(arg), g);
  };
  rt::gopark(commit, &when, rt::WaitReason::sleep, nullptr);
}

}  // namespace

void sleep_ns(int64_t ns) {
  if (ns > 0) park_until(rt::ns_from_now(ns));
}

void sleep_until_ns(int64_t when) {
  if (when > rt::nanotime()) park_until(when);
}

bool sleep_ns(const Context& ctx, int64_t ns) {
  if (ctx.err()) return false;
  if (ns <= 0) return true;
  rt::cancellable_park wait(&ctx);
  int64_t when = rt::ns_from_now(ns);
  if (!wait.may_be_cancelled()) {
    park_until(when);
    return true;
  }
  return wait.lock() && wait.sleep_until(when);
}

}  // namespace weir::detail
