// Stacks' memory given back (reclaim.h).

#include "reclaim.h"

#include <algorithm>
#include <bit>

#include "clock.h"
#include "stack_chunk.h"

namespace weir::rt {

ReclaimPace reclaim_pace;
Reclaimed reclaimed;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr size_t kTickBytes = 16 << 20;  // of stacks that a tick asks the kernel about
constexpr size_t kTrimAtOnce = 1 << 20;  // bytes given back while a goroutine cannot be woken
constexpr uintptr_t kRedZone = 128;      // below the stack pointer; the ABI's

int64_t next_tick = 0;  // when the next piece of work is due
bool was_idle = false;
int64_t last_active = 0;  // when goroutines may have run last

// ---- free stacks ----

int64_t period_begun = 0;
uint32_t surplus[kSizeClasses];  // stacks still to be given back in this period

int64_t period_end() noexcept { return period_begun + reclaim_pace.period.load(kRelaxed); }

void begin_period(int64_t now) noexcept {
  period_begun = now;
  for (size_t i = 0; i < kSizeClasses; i++) {
    FreeList& list = free_lists[i];
    list.lock.lock();
    surplus[i] = (list.low + 1) / 2;
    list.low = list.count[kWarm].load(kRelaxed);
    list.lock.unlock();
  }
}

size_t resident_bytes(uintptr_t at, size_t bytes) noexcept {
  size_t sum = 0;
  for_each_resident(at, bytes, [&](uintptr_t) { return sum += kPage, true; });
  return sum;
}

// Gives the stacks of a group back. Neighbours are one range: the guards between them stay.
bool release(const Group& g) noexcept {
  const Chunk& c = *g.chunk;
  iovec ranges[kGroup];
  size_t n = 0, bytes = 0;
  for (uint64_t mask = g.mask; mask != 0;) {
    int first = std::countr_zero(mask);
    int neighbours = std::countr_one(mask >> first);
    uint32_t i = g.word * kGroup + static_cast<uint32_t>(first);
    size_t length = static_cast<size_t>(neighbours) * c.stride - kPage;
    bytes += resident_bytes(reinterpret_cast<uintptr_t>(c.slot(i) + kPage), length);
    ranges[n++] = {c.slot(i) + kPage, length};
    mask = first + neighbours == 64 ? 0 : mask >> (first + neighbours) << (first + neighbours);
  }
  if (!release_pages(ranges, n)) return false;
  reclaimed.stacks.fetch_add(static_cast<uint64_t>(std::popcount(g.mask)), kRelaxed);
  reclaimed.stack_bytes.fetch_add(bytes, kRelaxed);
  return true;
}

// Gives back some of this class's surplus; false: there is none.
bool release_some(size_t size_class) noexcept {
  FreeList& list = free_lists[size_class];
  list.lock.lock();
  // A burst that has begun meanwhile takes precedence.
  surplus[size_class] = std::min(surplus[size_class], (list.low + 1) / 2);
  Group g = list.take(kWarm, std::min(surplus[size_class], at_a_time(size_class, kGroup)));
  list.lock.unlock();
  if (g.mask == 0) return false;
  surplus[size_class] -= static_cast<uint32_t>(std::popcount(g.mask));
  bool cold = release(g);
  if (!cold) surplus[size_class] = 0;
  list.lock.lock();
  list.put(cold ? kCold : kWarm, g);
  list.lock.unlock();
  return true;
}

// True: there is more to do in this period.
bool release_surplus(int64_t deadline) noexcept {
  bool more = false;
  for (size_t i = 0; i < kSizeClasses; i++) {
    while (surplus[i] != 0 && !more) {
      if (!release_some(i)) surplus[i] = 0;
      more = nanotime() > deadline;
    }
  }
  return more;
}

bool any_warm() noexcept {
  return std::any_of(free_lists, free_lists + kSizeClasses,
                     [](const FreeList& list) { return list.count[kWarm].load(kRelaxed) != 0; });
}

// ---- parked goroutines ----

struct {
  bool under_way = false;
  int64_t begun = 0;   // when the last one began
  uint32_t chunk = 0;  // where it is
  size_t offset = 0;
} pass;

bool parked_long(const G* gp) noexcept {
  return ns_since(gp->since.load(kRelaxed)) >= reclaim_pace.parked.load(kRelaxed);
}

// Where the pages begin that hold something of gp, which is parked; stack_lo when it stands on
// another stack than its own.
__attribute__((no_sanitize("thread"))) uintptr_t live_from(const G* gp) noexcept {
  if (gp->sp <= gp->stack_lo + kRedZone || gp->sp >= gp->stack_hi) return gp->stack_lo;
  return (gp->sp - kRedZone) & ~(kPage - 1);
}

// A look without holding it: is it worth the while? `page` has memory. The goroutine may run
// meanwhile.
__attribute__((no_sanitize("thread"))) bool could_trim(const G* gp, uintptr_t page) noexcept {
  return gp->status.load(std::memory_order_acquire) == Gwaiting && parked_long(gp) &&
         (page < live_from(gp) || gp->stack_use.load(kRelaxed) & kInherited);
}

// Gives back pages below the stack pointer of a goroutine that is parked for long, as many as may
// be while it cannot be woken. True: there are more.
bool trim_some(G* gp) noexcept {
  uint32_t status = Gwaiting;
  if (!gp->status.compare_exchange_strong(status, Gcopystack, std::memory_order_acq_rel)) {
    return false;
  }
  bool more = false;
  const uintptr_t end = live_from(gp);
  if (end != gp->stack_lo && parked_long(gp)) {  // it may have run since it was looked at
    uintptr_t lowest = end;
    size_t bytes = 0;
    for_each_resident(gp->stack_lo, end - gp->stack_lo, [&](uintptr_t page) {
      lowest = std::min(lowest, page);
      if (page - lowest >= kTrimAtOnce) return more = true, false;
      return bytes += kPage, true;
    });
    const uint32_t use = gp->stack_use.load(kRelaxed);
    if (bytes != 0 && !(use & kInherited)) {
      gp->stack_use.store(std::max(use, static_cast<uint32_t>(gp->stack_hi - lowest)), kRelaxed);
    }
    const iovec range = {reinterpret_cast<void*>(lowest), std::min(end - lowest, kTrimAtOnce)};
    const bool given = bytes == 0 || release_pages(&range, 1);
    more = more && given;
    if (given) reclaimed.trimmed_bytes.fetch_add(bytes, kRelaxed);
    if (given && !more) {
      gp->stack_use.store(gp->stack_use.load(kRelaxed) & ~kInherited, kRelaxed);  // now its own
      if (bytes != 0) reclaimed.trims.fetch_add(1, kRelaxed);
    }
  }
  gp->status.store(Gwaiting, std::memory_order_release);
  return more;
}

void trim(G* gp) noexcept {
  while (trim_some(gp)) {
  }
}

// How many slots from i on are known to be cold.
uint32_t cold_run(const Chunk& c, uint32_t i) noexcept {
  uint64_t bits = c.free[kCold].bits[i / kGroup].load(kRelaxed) >> (i % kGroup);
  return static_cast<uint32_t>(std::countr_one(bits));
}

// Looks at the next pages of the pass; false: it is over.
bool look_on(int64_t deadline) noexcept {
  size_t left = kTickBytes;
  const uint32_t n = nchunks.load(std::memory_order_acquire);
  while (left != 0 && pass.chunk < n) {
    const Chunk& c = chunks[pass.chunk];
    const size_t used = c.size_class == kThreadClass ? 0 : c.used.load(kRelaxed) * c.stride;
    if (pass.offset >= used) {
      pass.chunk++;
      pass.offset = 0;
      continue;
    }
    auto at = static_cast<uint32_t>(pass.offset / c.stride);
    if (uint32_t run = cold_run(c, at)) {
      pass.offset = (at + run) * c.stride;
      continue;
    }
    const auto base = reinterpret_cast<uintptr_t>(c.base);
    size_t bytes = std::min(left, used - pass.offset), next = pass.offset + bytes;
    size_t last = SIZE_MAX;  // slot that was dealt with
    for_each_resident(base + pass.offset, bytes, [&](uintptr_t page) {
      size_t offset = page - base, i = offset / c.stride;
      if (i == last || offset % c.stride == c.stride - kPage) return true;  // the top page: in use
      last = i;
      G* gp = g_in_slot(c, static_cast<uint32_t>(i));
      if (c.has(kCold, static_cast<uint32_t>(i)) || !could_trim(gp, page)) return true;
      trim(gp);
      if (nanotime() <= deadline) return true;
      next = (i + 1) * c.stride;
      return false;
    });
    left = next < pass.offset + bytes ? 0 : left - bytes;
    pass.offset = next;
  }
  return pass.chunk < n;
}

// True: the pass goes on.
bool trim_parked(int64_t now, int64_t deadline) noexcept {
  if (!pass.under_way) {
    if (now < pass.begun + reclaim_pace.pass.load(kRelaxed)) return false;
    pass = {true, now, 0, 0};
  }
  pass.under_way = look_on(deadline);
  return pass.under_way;
}

// When a pass is wanted that finds all goroutines parked for long, if nobody runs; 0: it was made.
int64_t last_pass() noexcept {
  int64_t all_parked_long = last_active + reclaim_pace.parked.load(kRelaxed);
  if (pass.begun > all_parked_long) return 0;
  return std::max(all_parked_long + 1, pass.begun + reclaim_pace.pass.load(kRelaxed));
}

}  // namespace

int64_t reclaim_stacks(int64_t now, bool idle) noexcept {
  if (!idle || !was_idle) last_active = now;
  was_idle = idle;
  if (now < next_tick) return next_tick;
  next_tick = now + reclaim_pace.tick.load(kRelaxed);
  if (now >= period_end()) begin_period(now);
  const int64_t deadline = now + reclaim_pace.budget.load(kRelaxed);
  bool more = release_surplus(deadline);
  more |= trim_parked(now, deadline);
  if (more) return next_tick;
  int64_t next = any_warm() ? period_end() : 0, pass_at = last_pass();
  return next == 0 || (pass_at != 0 && pass_at < next) ? pass_at : next;
}

}  // namespace weir::rt
