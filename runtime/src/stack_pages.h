// What is asked of the kernel about the pages of stacks: guards, memory beforehand, memory back,
// which pages have memory. Nothing here knows what a stack is.
#pragma once

#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace weir::rt {

inline constexpr size_t kPage = 4096;

// Makes each range, one page, a guard: whoever touches it gets SIGSEGV. Without guards of its own
// (Linux 6.13) the kernel needs two mappings more for each, of which it allows 65530, so beyond
// 16000 there are none, which is told on stderr once.
void install_guards(const iovec* pages, size_t n) noexcept;

// Gives the pages of the ranges memory now, which costs less than faults later. A hint.
void populate(const iovec* ranges, size_t n) noexcept;

// Gives the memory of the ranges back: they read as zero. Guards within them stay. False: not (all
// of) it, since the program has locked its memory.
bool release_pages(const iovec* ranges, size_t n) noexcept;

// Calls f(page's address) for the pages of the range that have memory, upwards, until it returns
// false.
template <class F>
void for_each_resident(uintptr_t at, size_t bytes, F f) noexcept {
  constexpr size_t kAtOnce = 1024;
  unsigned char resident[kAtOnce];
  for (uintptr_t end = at + bytes; at < end;) {
    size_t n = std::min((end - at) / kPage, kAtOnce);
    if (n == 0 || mincore(reinterpret_cast<void*>(at), n * kPage, resident) != 0) return;
    for (size_t i = 0; i < n; i++) {
      if ((resident[i] & 1) && !f(at + i * kPage)) return;
    }
    at += n * kPage;
  }
}

}  // namespace weir::rt
