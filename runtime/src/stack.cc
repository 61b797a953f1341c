// Stack slots (stack.h): handing them out and taking them back.

#include "stack.h"

#include <bit>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "stack_chunk.h"

namespace weir::rt {

Chunk chunks[kMaxChunks];
std::atomic<uint32_t> nchunks{0};
FreeList free_lists[kSizeClasses + 1];

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

spin_lock grow_lock;

Chunk* grow(size_t size_class) {
  grow_lock.lock();
  uint32_t n = nchunks.load(kRelaxed);
  size_t stride = size_class == kThreadClass ? sizeof(thread_G) : class_bytes(size_class) + kPage;
  size_t bytes = (stride * kChunkSlots + kPage - 1) / kPage * kPage;
  void* at = MAP_FAILED;
  if (n < kMaxChunks) {
    at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
              -1, 0);
  }
  if (at == MAP_FAILED) {
    grow_lock.unlock();
    throw std::bad_alloc();
  }
  madvise(at, bytes, MADV_NOHUGEPAGE);  // else one touched page costs 2 MiB
  chunks[n].base = static_cast<char*>(at);
  chunks[n].stride = stride;
  chunks[n].size_class = size_class;
  nchunks.store(n + 1, std::memory_order_release);
  grow_lock.unlock();
  return &chunks[n];
}

bool spent(const FreeList& list) noexcept {
  return !list.fresh || list.fresh->used.load(kRelaxed) == kChunkSlots;
}

// At most n neighbours that were never used; throws std::bad_alloc. The list's lock is held, but
// not throughout, and not when it throws.
Group take_unused(FreeList& list, size_t size_class, uint32_t n) {
  if (spent(list)) {
    list.lock.unlock();
    Chunk* c = grow(size_class);
    list.lock.lock();
    // When another thread grew the list too, the chunk that came second stays untouched and unused.
    if (spent(list)) list.fresh = c;
  }
  Chunk& c = *list.fresh;
  uint32_t i = c.used.load(kRelaxed), bit = i % kGroup;
  n = std::min(n, kGroup - bit);
  c.used.store(i + n, std::memory_order_release);
  return {&c, i / kGroup, (~uint64_t{0} >> (kGroup - n)) << bit};
}

// Slots without memory, cold or unused, made ready for use: at most n, one at least; throws
// std::bad_alloc. Several get their top pages at once, which saves a fifth of the time of creating
// a goroutine, so a class that has handed out many is taken to need more; one that has not gets
// one.
Group without_memory(FreeList& list, size_t size_class, uint32_t n) {
  list.lock.lock();
  n = static_cast<uint32_t>(std::clamp<uint64_t>(list.handed / 8, 1, n));
  Group g = list.take(kCold, n);
  bool unused = g.mask == 0;
  if (unused) g = take_unused(list, size_class, n);
  list.handed += static_cast<uint64_t>(std::popcount(g.mask));
  list.lock.unlock();

  const Chunk& c = *g.chunk;
  iovec guards[kGroup], tops[kGroup];
  uint32_t taken = 0;
  for_each_slot(g, [&](uint32_t i) {
    guards[taken] = {c.slot(i), kPage};
    tops[taken++] = {c.slot(i + 1) - kPage, kPage};
  });
  if (size_class != kThreadClass) {
    if (unused) install_guards(guards, taken);
    if (taken > 1) populate(tops, taken);
  }
  for_each_slot(g, [&](uint32_t i) {
    G* gp = g_in_slot(c, i);
    if (size_class != kThreadClass) {
      gp->stack_lo = reinterpret_cast<uintptr_t>(c.slot(i) + kPage);
      gp->stack_hi = reinterpret_cast<uintptr_t>(gp);
    }
    gp->slot = static_cast<uint32_t>(&c - chunks) * kChunkSlots + i;
    gp->size_class = static_cast<uint16_t>(size_class);
    gp->stack_use.store(0, kRelaxed);
  });
  return g;
}

G* first_g(const Group& g) noexcept {
  return g_in_slot(*g.chunk, g.word * kGroup + static_cast<uint32_t>(std::countr_zero(g.mask)));
}

// One that is nobody's.
G* get_one(size_t size_class) {
  FreeList& list = free_lists[size_class];
  list.lock.lock();
  Group g = list.take(kWarm, 1);
  list.lock.unlock();
  return first_g(g.mask ? g : without_memory(list, size_class, 1));
}

Group group_of(const G* gp) noexcept {
  uint32_t i = gp->slot % kChunkSlots;
  return {&chunks[gp->slot / kChunkSlots], i / kGroup, uint64_t{1} << (i % kGroup)};
}

void put_one(const G* gp) noexcept {
  FreeList& list = free_lists[gp->size_class];
  list.lock.lock();
  list.put(kWarm, group_of(gp));
  list.lock.unlock();
}

void local_push(P* p, G* gp) noexcept {
  gp->schedlink = p->gfree;
  p->gfree = gp;
  p->gfreecnt.store(p->gfreecnt.load(kRelaxed) + 1, kRelaxed);
}

G* local_pop(P* p) noexcept {
  G* gp = p->gfree;
  p->gfree = gp->schedlink;
  if (p->gfree) {  // cold when it has been free for long: fetched for the next goroutine
    __builtin_prefetch(p->gfree, 1);
    __builtin_prefetch(reinterpret_cast<const char*>(p->gfree) - 64, 1);
  }
  p->gfreecnt.store(p->gfreecnt.load(kRelaxed) - 1, kRelaxed);
  return gp;
}

// A P keeps at most so many stacks, and gives half away beyond: Go's 64 (gfput, gfget), fewer of
// large ones.
constexpr uint32_t local_max(size_t size_class) noexcept { return at_a_time(size_class, 64); }

void refill(P* p, size_t size_class) {
  FreeList& list = free_lists[size_class];
  const uint32_t want = local_max(size_class) / 2;
  auto keep = [p](const Group& g) {
    for_each_slot(g, [&](uint32_t i) { local_push(p, g_in_slot(*g.chunk, i)); });
  };
  list.lock.lock();
  for (uint32_t n; (n = p->gfreecnt.load(kRelaxed)) < want;) {
    Group g = list.take(kWarm, want - n);
    if (g.mask == 0) break;
    keep(g);
  }
  list.lock.unlock();
  if (!p->gfree) keep(without_memory(list, size_class, want));
}

}  // namespace

Group FreeList::take(Warmth w, uint32_t n) noexcept {
  Chunk* c = heads[w];
  if (!c) return {};
  Chunk::Set& set = c->free[w];
  uint32_t word = 0;
  while (set.bits[word].load(kRelaxed) == 0) word++;
  uint64_t bits = set.bits[word].load(kRelaxed), left = bits;
  for (uint32_t i = 0; i < n && left != 0; i++) left &= left - 1;
  set.bits[word].store(left, std::memory_order_release);
  auto taken = static_cast<uint32_t>(std::popcount(bits ^ left));
  set.count -= taken;
  count[w].store(count[w].load(kRelaxed) - taken, kRelaxed);
  if (set.count == 0) heads[w] = set.next;
  low = std::min(low, count[kWarm].load(kRelaxed));
  return {c, word, bits ^ left};
}

void FreeList::put(Warmth w, Group g) noexcept {
  Chunk::Set& set = g.chunk->free[w];
  if (set.count == 0) {
    set.next = heads[w];
    heads[w] = g.chunk;
  }
  std::atomic<uint64_t>& bits = set.bits[g.word];
  bits.store(bits.load(kRelaxed) | g.mask, std::memory_order_release);
  auto more = static_cast<uint32_t>(std::popcount(g.mask));
  set.count += more;
  count[w].store(count[w].load(kRelaxed) + more, kRelaxed);
}

size_t class_of(size_t bytes) {
  if (bytes > kMaxStack) {
    throw std::invalid_argument("weir: a goroutine stack of " + std::to_string(bytes) +
                                " bytes is more than the maximum of 67108864 (64 MiB)");
  }
  return bytes <= kMinStack ? 0 : static_cast<size_t>(std::bit_width((bytes - 1) / kMinStack));
}

G* gfget(P* p, size_t size_class) {
  if (!p || size_class != sched.default_class) return get_one(size_class);
  if (!p->gfree) refill(p, size_class);
  return local_pop(p);
}

void gfput(P* p, G* gp) noexcept {
  gp->stack_use.store(kInherited, kRelaxed);
  if (!p || gp->size_class != sched.default_class) {
    put_one(gp);
    return;
  }
  local_push(p, gp);
  const uint32_t max = local_max(gp->size_class);
  if (p->gfreecnt.load(kRelaxed) < max) return;
  FreeList& list = free_lists[gp->size_class];
  list.lock.lock();
  Group g = group_of(local_pop(p));
  while (p->gfreecnt.load(kRelaxed) > max / 2) {
    Group next = group_of(local_pop(p));
    if (next.chunk == g.chunk && next.word == g.word) {
      g.mask |= next.mask;
    } else {
      list.put(kWarm, std::exchange(g, next));
    }
  }
  list.put(kWarm, g);
  list.lock.unlock();
}

void gfpurge(P* p) noexcept {
  while (p->gfree) put_one(local_pop(p));
}

thread_G* thread_gfget() { return static_cast<thread_G*>(get_one(kThreadClass)); }

void thread_gfput(thread_G* gp) noexcept { put_one(gp); }

uint32_t slot_limit() noexcept { return nchunks.load(std::memory_order_acquire) * kChunkSlots; }

G* slot_g(uint32_t slot) noexcept {
  const Chunk& c = chunks[slot / kChunkSlots];
  uint32_t i = slot % kChunkSlots;
  if (i >= c.used.load(std::memory_order_acquire) || c.has(kCold, i)) return nullptr;
  return g_in_slot(c, i);
}

G* guard_owner(uintptr_t address) noexcept {
  uint32_t n = nchunks.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < n; i++) {
    const Chunk& c = chunks[i];
    if (c.size_class == kThreadClass) continue;
    uintptr_t offset = address - reinterpret_cast<uintptr_t>(c.base);
    if (offset >= c.stride * kChunkSlots) continue;
    return offset % c.stride < kPage ? g_in_slot(c, static_cast<uint32_t>(offset / c.stride))
                                     : nullptr;
  }
  return nullptr;
}

}  // namespace weir::rt
