// Stack slots: where goroutines live.
//
// A slot is [guard page][stack][G] with the G, and below it the closure, on the top page of the
// stack, so that a shallow parked goroutine costs one page. Slots come in size classes (16 KiB <<
// class) from chunks of 1024 that are mapped once and never unmapped: a G* stays readable for ever,
// and enumerating goroutines is enumerating slots. Memory is committed by first touch; a slot that
// was never used, or whose memory was given back (reclaim.h), reads as zero, which is Gidle.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime2.h"
#include "stack_pages.h"

namespace weir::rt {

inline constexpr size_t kMinStack = 16 << 10, kMaxStack = 64 << 20;
inline constexpr size_t kSizeClasses = 13;  // 16 KiB .. 64 MiB
inline constexpr uint32_t kChunkSlots = 1024;

inline constexpr size_t class_bytes(size_t size_class) noexcept { return kMinStack << size_class; }
// The smallest class that has `bytes`; throws std::invalid_argument above kMaxStack.
size_t class_of(size_t bytes);

// A G of this class, status Gdead or Gidle, not visible to anybody. From p's free list (p may be
// null), the global one, or new memory; throws std::bad_alloc. Inside a scope.
G* gfget(P* p, size_t size_class);
// Gives back a Gdead goroutine. Inside a scope.
void gfput(P* p, G* gp) noexcept;
// Moves all of p's free Gs to the global list.
void gfpurge(P* p) noexcept;

// A G for a plain thread; not a stack. Freed by thread_gfput.
thread_G* thread_gfget();
void thread_gfput(thread_G* gp) noexcept;

// Bound of the slots that exist. The G of a slot, null where there is none and no memory need be
// touched to know; always readable.
uint32_t slot_limit() noexcept;
G* slot_g(uint32_t slot) noexcept;

// The goroutine whose guard page holds `address`, or null. Async-signal-safe.
G* guard_owner(uintptr_t address) noexcept;

}  // namespace weir::rt
