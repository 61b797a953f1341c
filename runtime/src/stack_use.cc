// How much memory stacks use (<weir/introspect.h>). Not instrumented by sanitizers: it looks at
// what others change, by design.

#include <weir/introspect.h>

#include <algorithm>

#include "reclaim.h"
#include "stack_chunk.h"

namespace weir::introspect {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

bool stack_use(size_t slot, uint64_t goid, StackUse& use) noexcept {
  if (!alive(slot, goid)) return false;
  const rt::G* gp = rt::slot_g(static_cast<uint32_t>(slot));
  if (!gp || gp->is_thread) return false;
  const uintptr_t lo = gp->stack_lo, hi = gp->stack_hi;
  uintptr_t lowest = hi;
  size_t pages = 0;
  rt::for_each_resident(lo, (hi | (rt::kPage - 1)) + 1 - lo, [&](uintptr_t page) {
    lowest = std::min(lowest, page);
    return ++pages, true;
  });
  const uint32_t known = gp->stack_use.load(kRelaxed);
  use.size = hi - lo;
  use.inherited = known & rt::kInherited && pages > 1;  // the top page is its own use, too
  use.high_water = std::max(hi - lowest, size_t{known & ~rt::kInherited});
  use.committed = pages * rt::kPage;
  return alive(slot, goid);  // else what was read is of another one
}

StackMemory stack_memory() noexcept {
  StackMemory s{};
  const uint32_t n = rt::nchunks.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < n; i++) {
    const rt::Chunk& c = rt::chunks[i];
    if (c.size_class == rt::kThreadClass) continue;
    s.slots += c.used.load(kRelaxed);
    s.reserved_bytes += c.stride * rt::kChunkSlots;
  }
  for (size_t i = 0; i < rt::kSizeClasses; i++) {
    s.warm += rt::free_lists[i].count[rt::kWarm].load(kRelaxed);
    s.cold += rt::free_lists[i].count[rt::kCold].load(kRelaxed);
  }
  const int procs = rt::sched.gomaxprocs.load(std::memory_order_acquire);
  for (int i = 0; i < procs; i++) s.local += rt::allp[i]->gfreecnt.load(kRelaxed);
  s.released_stacks = rt::reclaimed.stacks.load(kRelaxed);
  s.released_bytes = rt::reclaimed.stack_bytes.load(kRelaxed);
  s.trims = rt::reclaimed.trims.load(kRelaxed);
  s.trimmed_bytes = rt::reclaimed.trimmed_bytes.load(kRelaxed);
  return s;
}

uint64_t stack_bytes_committed() noexcept {
  uint64_t bytes = 0;
  const uint32_t n = rt::nchunks.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < n; i++) {
    const rt::Chunk& c = rt::chunks[i];
    if (c.size_class == rt::kThreadClass) continue;
    rt::for_each_resident(reinterpret_cast<uintptr_t>(c.base), c.used.load(kRelaxed) * c.stride,
                          [&](uintptr_t) { return bytes += rt::kPage, true; });
  }
  return bytes;
}

}  // namespace weir::introspect
