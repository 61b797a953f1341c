// Stack slots (stack.h).

#include "stack.h"

#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <new>
#include <stdexcept>
#include <string>

#include "fatal.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102  // Linux 6.13
#endif

namespace weir::rt {

namespace {

constexpr uint32_t kThreadClass = UINT32_MAX;  // chunks of bare Gs, for plain threads
constexpr uint32_t kMaxChunks = 32768;         // 33 million slots
constexpr uint32_t kColours = 16;

// One mapping of kChunkSlots slots. Written once, under grow_lock, before nchunks admits it.
struct Chunk {
  char* base;
  size_t stride;
  uint32_t size_class;
  std::atomic<uint32_t>
      used;  // slots [0, used) were handed out at least once; written under the list's lock
};

Chunk chunks[kMaxChunks];
std::atomic<uint32_t> nchunks{0};
spin_lock grow_lock;

// Warm Gs, linked by schedlink. Their stacks keep the pages that they touched.
struct FreeList {
  spin_lock lock;
  G* head = nullptr;
  Chunk* fresh = nullptr;  // the chunk whose slots are handed out for the first time
};
FreeList free_lists[kSizeClasses];
FreeList free_threads;

enum class Guard { madvise, mprotect, none };
std::atomic<Guard> guard_kind{Guard::madvise};
std::atomic<uint32_t> mprotect_budget{16000};  // each splits a mapping; vm.max_map_count is 65530

size_t stride_of(size_t size_class) noexcept { return class_bytes(size_class) + kPage; }

// Gs at one offset within their pages would share 1/64 of the L1 cache: they are spread over 1 KiB.
G* g_in_slot(const Chunk& c, uint32_t i) noexcept {
  if (c.size_class == kThreadClass) return reinterpret_cast<thread_G*>(c.base + i * c.stride);
  char* end = c.base + (i + 1) * c.stride;
  return reinterpret_cast<G*>(end - sizeof(G) - 64 * (i % kColours));
}

void install_guard(char* page) noexcept {
  switch (guard_kind.load(std::memory_order_relaxed)) {
    case Guard::madvise:
      if (madvise(page, kPage, MADV_GUARD_INSTALL) == 0) return;
      guard_kind.store(Guard::mprotect, std::memory_order_relaxed);
      [[fallthrough]];
    case Guard::mprotect:
      if (mprotect_budget.load(std::memory_order_relaxed) > 0 &&
          mprotect_budget.fetch_sub(1, std::memory_order_relaxed) > 0 &&
          mprotect(page, kPage, PROT_NONE) == 0) {
        return;
      }
      if (guard_kind.exchange(Guard::none, std::memory_order_relaxed) != Guard::none) {
        raw_print(
            "weir: this kernel has no light guard pages (Linux 6.13): further goroutine stacks "
            "have no "
            "guard, an overflow there is not detected\n");
      }
      [[fallthrough]];
    case Guard::none:
      return;
  }
}

Chunk* grow(uint32_t size_class) {
  grow_lock.lock();
  uint32_t n = nchunks.load(std::memory_order_relaxed);
  size_t stride = size_class == kThreadClass ? sizeof(thread_G) : stride_of(size_class);
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

// The next slot that was never used.
G* fresh_g(FreeList& list, uint32_t size_class) {
  auto spent = [&] {
    return !list.fresh || list.fresh->used.load(std::memory_order_relaxed) == kChunkSlots;
  };
  list.lock.lock();
  if (spent()) {
    list.lock.unlock();
    Chunk* c = grow(size_class);
    list.lock.lock();
    // When another thread grew the list too, the chunk that came second stays untouched and unused.
    if (spent()) list.fresh = c;
  }
  Chunk& c = *list.fresh;
  uint32_t i = c.used.load(std::memory_order_relaxed);
  c.used.store(i + 1, std::memory_order_release);
  list.lock.unlock();
  G* gp = g_in_slot(c, i);
  if (size_class != kThreadClass) {
    char* slot = c.base + i * c.stride;
    install_guard(slot);
    gp->stack_lo = reinterpret_cast<uintptr_t>(slot + kPage);
    gp->stack_hi = reinterpret_cast<uintptr_t>(gp);
  }
  gp->slot = static_cast<uint32_t>(&c - chunks) * kChunkSlots + i;
  gp->size_class = size_class;
  return gp;
}

G* pop(FreeList& list) noexcept {
  list.lock.lock();
  G* gp = list.head;
  if (gp) list.head = gp->schedlink;
  list.lock.unlock();
  return gp;
}

void push(FreeList& list, G* gp) noexcept {
  list.lock.lock();
  gp->schedlink = list.head;
  list.head = gp;
  list.lock.unlock();
}

// Go: 64 and 32 (gfput, gfget).
constexpr uint32_t kLocalMax = 64, kLocalKeep = 32;

}  // namespace

size_t class_of(size_t bytes) {
  if (bytes > kMaxStack) {
    throw std::invalid_argument("weir: a goroutine stack of " + std::to_string(bytes) +
                                " bytes is more than the maximum of 67108864 (64 MiB)");
  }
  return bytes <= kMinStack ? 0 : static_cast<size_t>(std::bit_width((bytes - 1) / kMinStack));
}

G* gfget(P* p, size_t size_class) {
  FreeList& list = free_lists[size_class];
  if (p && size_class == sched.default_class) {
    if (p->gfree == nullptr) {
      list.lock.lock();
      while (list.head && p->gfreecnt < kLocalKeep) {
        G* gp = list.head;
        list.head = gp->schedlink;
        gp->schedlink = p->gfree;
        p->gfree = gp;
        p->gfreecnt++;
      }
      list.lock.unlock();
    }
    if (G* gp = p->gfree) {
      p->gfree = gp->schedlink;
      p->gfreecnt--;
      return gp;
    }
  } else if (G* gp = pop(list)) {
    return gp;
  }
  return fresh_g(list, static_cast<uint32_t>(size_class));
}

void gfput(P* p, G* gp) noexcept {
  FreeList& list = free_lists[gp->size_class];
  if (!p || gp->size_class != sched.default_class) {
    push(list, gp);
    return;
  }
  gp->schedlink = p->gfree;
  p->gfree = gp;
  if (++p->gfreecnt < kLocalMax) return;
  list.lock.lock();
  while (p->gfreecnt > kLocalKeep) {
    G* out = p->gfree;
    p->gfree = out->schedlink;
    out->schedlink = list.head;
    list.head = out;
    p->gfreecnt--;
  }
  list.lock.unlock();
}

void gfpurge(P* p) noexcept {
  while (G* gp = p->gfree) {
    p->gfree = gp->schedlink;
    push(free_lists[gp->size_class], gp);
  }
  p->gfreecnt = 0;
}

thread_G* thread_gfget() {
  G* gp = pop(free_threads);
  return static_cast<thread_G*>(gp ? gp : fresh_g(free_threads, kThreadClass));
}

void thread_gfput(thread_G* gp) noexcept { push(free_threads, gp); }

uint32_t slot_limit() noexcept { return nchunks.load(std::memory_order_acquire) * kChunkSlots; }

G* slot_g(uint32_t slot) noexcept {
  const Chunk& c = chunks[slot / kChunkSlots];
  uint32_t i = slot % kChunkSlots;
  return i < c.used.load(std::memory_order_acquire) ? g_in_slot(c, i) : nullptr;
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
