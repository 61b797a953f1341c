// Time: nanoseconds of the monotonic clock, and processor ticks, which are cheaper to read (10
// against 22 ns here) and are what a park is stamped with. Ticks become nanoseconds only when
// somebody looks.
#pragma once

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace weir::rt {

inline int64_t nanotime() noexcept {
  timespec t;
#if defined(WEIR_TSAN)
  // ThreadSanitizer wraps the function, and the wrapper must not run in our signal handler, which
  // may have interrupted a switch.
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
#else
  clock_gettime(CLOCK_MONOTONIC, &t);
#endif
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// The nanotime in ns from now; negative: now. Too far is the end of time.
inline int64_t ns_from_now(int64_t ns) noexcept {
  int64_t now = nanotime(), when;
  return __builtin_add_overflow(now, ns > 0 ? ns : 0, &when) ? INT64_MAX : when;
}

extern bool has_constant_ticks;          // else ticks are nanotime()
extern std::atomic<double> ns_per_tick;  // as of the last calibrate_ticks
// The same moment in both, when the program started.
extern uint64_t base_ticks;  // cputicks
extern int64_t base_ns;      // nanotime

inline uint64_t cputicks() noexcept {
  if (!has_constant_ticks) [[unlikely]]
    return static_cast<uint64_t>(nanotime());
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  uint64_t t;
  asm volatile("mrs %0, cntvct_el0" : "=r"(t));
  return t;
#endif
}

// Nanoseconds from `ticks` (a former cputicks()) to now; never negative. Async-signal-safe.
int64_t ns_since(uint64_t ticks) noexcept;

// Ticks as nanoseconds, by the rate of the last calibrate_ticks.
uint64_t ticks_to_ns(uint64_t ticks) noexcept;
void calibrate_ticks() noexcept;

}  // namespace weir::rt
