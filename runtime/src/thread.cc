// Plain OS threads that use weir (thread.h).

#include "thread.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "clock.h"
#include "fatal.h"
#include "labels.h"
#include "proc.h"
#include "signals.h"
#include "stack.h"
#include "tls.h"

namespace weir::rt {

thread_local G* tls_g = nullptr;
thread_local mailbox* tls_box = nullptr;

namespace {

// Frees the thread's G when the thread ends.
struct Registration {
  thread_G* gp = nullptr;
  ~Registration() {
    if (!gp) return;
    // Nobody can ask this thread from here on; one who is asking gets his answer first.
    gp->box.lock.lock();
    gp->goid.store(0, std::memory_order_relaxed);
    drop_labels(gp);
    gp->status.store(Gdead, std::memory_order_release);
    tls_box = nullptr;
    gp->box.lock.unlock();
    tls_setg(nullptr);
    thread_gfput(std::exchange(gp, nullptr));
  }
};
thread_local Registration registration;

}  // namespace

G* register_thread() {
  install_signal_handlers();
  thread_G* gp = thread_gfget();
  gp->is_thread = true;
  gp->is_main = false;
  gp->m.store(nullptr, std::memory_order_relaxed);
  gp->waitreason = WaitReason::none;
  gp->waitobj = nullptr;
  gp->waitobj_count = 0;
  gp->wait_context = nullptr;
  gp->waits_for = nullptr;
  gp->parent_goid = 0;
  gp->gopc = gp->startpc = nullptr;
  gp->creation = 0;
  gp->eh = {};
  gp->tid = gettid();
  gp->thread_ready.store(0, std::memory_order_relaxed);
  pthread_attr_t attr;
  void* lo = nullptr;
  size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attr) == 0) {
    pthread_attr_getstack(&attr, &lo, &size);
    pthread_attr_destroy(&attr);
  }
  gp->stack_lo = reinterpret_cast<uintptr_t>(lo);
  gp->stack_hi = gp->stack_lo + size;
  char* name = gp->names[gp->shown_name.load(std::memory_order_relaxed)];
  if (pthread_getname_np(pthread_self(), name, sizeof gp->names[0]) != 0) name[0] = 0;
  gp->since.store(cputicks(), std::memory_order_relaxed);
  registration.gp = gp;
  tls_box = &gp->box;
  gp->goid.store(sched.goidgen.fetch_add(1, std::memory_order_relaxed) + 1,
                 std::memory_order_relaxed);
  gp->status.store(Grunning, std::memory_order_release);
  tls_setg(gp);
  return gp;
}

uint64_t self_goid() noexcept { return getg()->goid.load(std::memory_order_relaxed); }

bool thread_park(G* gp, void (*commit)(G*, void*), void* arg, int64_t until) noexcept {
  gp->thread_ready.store(0, std::memory_order_relaxed);
  gp->since.store(cputicks(), std::memory_order_relaxed);
  gp->status.store(Gwaiting, std::memory_order_release);
  commit(gp, arg);
  bool woken = true;
  while (gp->thread_ready.load(std::memory_order_acquire) == 0) {
    int64_t left = until == INT64_MAX ? -1 : std::max<int64_t>(until - nanotime(), 0);
    uint32_t not_won = 0;
    if (left != 0) {
      futex_wait(&gp->thread_ready, 0, left);
    } else if (gp->select_done.compare_exchange_strong(not_won, 1)) {
      woken = false;
      break;
    } else {
      until = INT64_MAX;  // somebody is about to wake it
    }
  }
  gp->since.store(cputicks(), std::memory_order_relaxed);
  gp->status.store(Grunning, std::memory_order_release);
  return woken;
}

void thread_ready(G* gp) noexcept {
  gp->thread_ready.store(1, std::memory_order_release);
  futex_wake(&gp->thread_ready);
}

}  // namespace weir::rt
