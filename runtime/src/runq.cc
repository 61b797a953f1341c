// Run queues (runq.h).

#include "runq.h"

#include <time.h>

#include <algorithm>
#include <mutex>

#include "perturb.h"

namespace weir::rt {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

// Moves gp and half of the full ring to the global queue. False: a thief made room meanwhile.
bool runqputslow(P* p, G* gp, uint32_t head, uint32_t tail) noexcept {
  uint32_t n = (tail - head) / 2;
  gqueue batch;
  G* taken[kRunqSize / 2];
  for (uint32_t i = 0; i < n; i++) taken[i] = p->runq[(head + i) % kRunqSize].load(kRelaxed);
  if (!p->runqhead.compare_exchange_strong(head, head + n, kRelease, kRelaxed)) return false;
  for (uint32_t i = 0; i < n; i++) batch.push_back(taken[i]);
  batch.push_back(gp);
  std::scoped_lock hold(sched.lock);
  globrunqputbatch(batch);
  return true;
}

// Copies half of victim's ring behind p's tail (not published). Returns how many.
uint32_t runqgrab(P* p, P* victim, uint32_t tail, bool steal_next, G** next) noexcept {
  for (;;) {
    uint32_t h = victim->runqhead.load(kAcquire);
    uint32_t t = victim->runqtail.load(kAcquire);
    uint32_t n = t - h;
    n -= n / 2;
    if (n == 0) {
      if (!steal_next) return 0;
      G* gp = victim->runnext.load(kAcquire);
      if (gp == nullptr) return 0;
      // The victim's running goroutine has just made gp ready and will most likely block soon:
      // leave them some time to go on together before tearing them apart. Asleep, not spinning: to
      // look at runnext again and again would slow down the two that write it (Go: usleep(3), which
      // is some 50 us there as here).
      if (victim->status.load(kRelaxed) == Prunning && !victim->insyscall.load(kRelaxed)) {
        timespec nap = {0, 3000};
        nanosleep(&nap, nullptr);
      }
      if (!victim->runnext.compare_exchange_strong(gp, nullptr, kAcquire, kRelaxed)) continue;
      *next = gp;
      return 0;
    }
    if (n > kRunqSize / 2) continue;  // h and t are not from one moment
    for (uint32_t i = 0; i < n; i++) {
      p->runq[(tail + i) % kRunqSize].store(victim->runq[(h + i) % kRunqSize].load(kRelaxed),
                                            kRelaxed);
    }
    if (victim->runqhead.compare_exchange_strong(h, h + n, kRelease, kRelaxed)) return n;
  }
}

// With many goroutines in line each one's data are cold: two cache misses and one of the TLB, one
// after the other. Those of the goroutines that come soon are fetched meanwhile: first the G, then,
// when that has come, the top of its stack.
constexpr uint32_t kAhead = 3;
__attribute__((no_sanitize("thread"))) void prefetch_ahead(P* p, uint32_t h) noexcept {
  G* later = p->runq[(h + 2 * kAhead) % kRunqSize].load(kRelaxed);
  __builtin_prefetch(later, 1);
  __builtin_prefetch(reinterpret_cast<const char*>(later) + 64, 1);
  uintptr_t sp = p->runq[(h + kAhead) % kRunqSize].load(kRelaxed)->sp;
  __builtin_prefetch(reinterpret_cast<const void*>(sp), 1);
  __builtin_prefetch(reinterpret_cast<const void*>(sp + 64), 1);
}

}  // namespace

void runqput(P* p, G* gp, bool next) noexcept {
  if (next && is_perturbing()) next = perturb_one_in(p, 2);
  if (next) {
    // Thieves only clear it, so an empty one stays empty until we fill it.
    if (p->runnext.load(kRelaxed) == nullptr) {
      p->runnext.store(gp, kRelease);
      return;
    }
    gp = p->runnext.exchange(gp, std::memory_order_acq_rel);
    if (gp == nullptr) return;
  }
  for (;;) {
    uint32_t h = p->runqhead.load(kAcquire);
    uint32_t t = p->runqtail.load(kRelaxed);
    if (t - h < kRunqSize) {
      p->runq[t % kRunqSize].store(gp, kRelaxed);
      p->runqtail.store(t + 1, kRelease);
      return;
    }
    if (runqputslow(p, gp, h, t)) return;
  }
}

G* runqget(P* p, bool* inherit) noexcept {
  // Only thieves race for runnext, and they only clear it: if it is not null and the CAS fails, it
  // is empty.
  G* next = p->runnext.load(kRelaxed);
  if (next != nullptr && p->runnext.compare_exchange_strong(next, nullptr, kAcquire, kRelaxed)) {
    *inherit = true;
    return next;
  }
  *inherit = false;
  for (;;) {
    uint32_t h = p->runqhead.load(kAcquire);
    uint32_t t = p->runqtail.load(kRelaxed);
    if (t == h) return nullptr;
    G* gp = p->runq[h % kRunqSize].load(kRelaxed);
    if (p->runqhead.compare_exchange_strong(h, h + 1, kRelease, kRelaxed)) {
      if (t - h > 2 * kAhead) prefetch_ahead(p, h);
      return gp;
    }
  }
}

void runqkicknext(P* p) noexcept {
  if (G* gp = p->runnext.exchange(nullptr, kAcquire)) runqput(p, gp, false);
}

bool runqempty(const P* p) noexcept {
  // runnext may be kicked out to the ring between the reads, so they are repeated until the tail
  // stood still.
  for (;;) {
    uint32_t h = p->runqhead.load(kAcquire);
    uint32_t t = p->runqtail.load(kAcquire);
    G* next = p->runnext.load(kAcquire);
    if (t == p->runqtail.load(kAcquire)) return h == t && next == nullptr;
  }
}

uint32_t runqlen(const P* p) noexcept {
  uint32_t h = p->runqhead.load(kAcquire);
  uint32_t t = p->runqtail.load(kAcquire);
  uint32_t n = t - h <= kRunqSize ? t - h : 0;
  return n + (p->runnext.load(kRelaxed) != nullptr ? 1 : 0);
}

G* runqsteal(P* p, P* victim, bool steal_next) noexcept {
  uint32_t t = p->runqtail.load(kRelaxed);
  G* next = nullptr;
  uint32_t n = runqgrab(p, victim, t, steal_next, &next);
  if (next) n = 1;
  if (n == 0) return nullptr;
  record(p->stats.steals);
  record(p->stats.stolen, n);
  if (next) return next;
  n--;
  G* gp = p->runq[(t + n) % kRunqSize].load(kRelaxed);
  if (n > 0) p->runqtail.store(t + n, kRelease);  // p's ring was empty, so there is room
  return gp;
}

void runqdrain(P* p) noexcept {
  bool inherit;
  while (G* gp = runqget(p, &inherit)) globrunqput(gp);
}

void globrunqput(G* gp) noexcept {
  sched.runq.push_back(gp);
  sched.runqsize.store(sched.runq.len, kRelaxed);
}

void globrunqputbatch(gqueue batch) noexcept {
  sched.runq.append(batch);
  sched.runqsize.store(sched.runq.len, kRelaxed);
}

G* globrunqget(P* p, uint32_t max) noexcept {
  uint32_t size = sched.runq.len;
  if (size == 0) return nullptr;
  uint32_t n = size / static_cast<uint32_t>(sched.gomaxprocs.load(kRelaxed)) + 1;
  n = std::min({n, size, kRunqSize / 2});
  if (max > 0) n = std::min(n, max);
  // p's own queue may still have Gs when this is one of its 61st looks.
  n = std::min(n, kRunqSize - (p->runqtail.load(kRelaxed) - p->runqhead.load(kAcquire)) + 1);
  G* gp = sched.runq.pop_front();
  uint32_t t = p->runqtail.load(kRelaxed);
  for (uint32_t i = 1; i < n; i++) {
    p->runq[t % kRunqSize].store(sched.runq.pop_front(), kRelaxed);
    t++;
  }
  p->runqtail.store(t, kRelease);
  // Who sees the global queue empty sees what was taken out of it in p's ring.
  sched.runqsize.store(sched.runq.len, kRelease);
  return gp;
}

}  // namespace weir::rt
