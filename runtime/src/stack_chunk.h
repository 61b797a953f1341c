// Chunks of slots and the lists of the free ones: what those share who hand slots out (stack.cc),
// give their memory back (reclaim.cc) and count them (stack_use.cc).
//
// A slot is one of
//   in use   a goroutine lives in it, or it is on a P's list (P::gfree)
//   warm     free, with its guard and the pages that were touched
//   cold     free, with its guard and no memory: its G must not be touched, not even read, without
//            need, since a read maps the zero page
//   unused   never handed out: at or above Chunk::used
// or belongs to the thread that is changing that. Warm and cold are sets of bits in the chunk,
// since a cold slot cannot hold a link, and since neighbours are given back by one call.
#pragma once

#include "stack.h"

namespace weir::rt {

inline constexpr size_t kThreadClass = kSizeClasses;  // chunks of bare Gs, for plain threads
inline constexpr uint32_t kMaxChunks = 32768;         // 33 million slots
inline constexpr uint32_t kGroup = 64;                // slots that share a word of a set

enum Warmth : int { kWarm, kCold };

// One mapping of kChunkSlots slots. Its first three fields are written once, before nchunks admits
// it; `used` and the sets under the lock of its class's list, and read by anybody.
struct Chunk {
  char* base;
  size_t stride;
  size_t size_class;
  std::atomic<uint32_t> used;  // slots [0, used) were handed out at least once
  struct Set {
    std::atomic<uint64_t> bits[kChunkSlots / kGroup];
    uint32_t count;
    Chunk* next;  // in the list of chunks whose set is not empty
  } free[2];      // by Warmth

  bool has(Warmth w, uint32_t i) const noexcept {
    return free[w].bits[i / kGroup].load(std::memory_order_acquire) >> (i % kGroup) & 1;
  }
  char* slot(uint32_t i) const noexcept { return base + i * stride; }
};

// Some slots of a chunk: kGroup * word + each bit of the mask.
struct Group {
  Chunk* chunk;
  uint32_t word;
  uint64_t mask;
};

// The free slots of one class.
struct FreeList {
  spin_lock lock;                    // protects all
  Chunk* heads[2]{};                 // the chunks with free slots, by Warmth
  std::atomic<uint32_t> count[2]{};  // read by anybody
  uint32_t low = 0;                  // the least count of warm ones since reclaim.cc set it
  uint64_t handed = 0;               // slots that were handed out cold or for the first time, ever
  Chunk* fresh = nullptr;            // has unused slots

  // At most n slots, neighbours where there are; an empty mask: there are none. Lock held.
  Group take(Warmth w, uint32_t n) noexcept;
  void put(Warmth w, Group g) noexcept;
};

extern Chunk chunks[kMaxChunks];
extern std::atomic<uint32_t> nchunks;
extern FreeList free_lists[kSizeClasses + 1];

// Gs at one offset within their pages would share 1/64 of the L1 cache: they are spread over 1 KiB.
inline constexpr size_t kSpreadBytes = 64, kSpreads = 16;
inline G* g_in_slot(const Chunk& c, uint32_t i) noexcept {
  if (c.size_class == kThreadClass) return reinterpret_cast<thread_G*>(c.slot(i));
  return reinterpret_cast<G*>(c.slot(i + 1) - sizeof(G) - kSpreadBytes * (i % kSpreads));
}

// Calls f(slot within the chunk) for each slot of the group.
template <class F>
void for_each_slot(const Group& g, F f) {
  for (uint64_t mask = g.mask; mask != 0; mask &= mask - 1) {
    f(g.word * kGroup + static_cast<uint32_t>(__builtin_ctzll(mask)));
  }
}

// How many stacks of a class are kept, or dealt with, at a time: as few as make 4 MiB.
inline constexpr uint32_t at_a_time(size_t size_class, uint32_t most) noexcept {
  size_t n = (size_t{4} << 20) / class_bytes(size_class);
  return n < 2 ? 2 : n < most ? static_cast<uint32_t>(n) : most;
}

// G::stack_use: bytes of the deepest use that is known, and whether the stack came with pages that
// an earlier goroutine had touched.
inline constexpr uint32_t kInherited = 1u << 31;

}  // namespace weir::rt
