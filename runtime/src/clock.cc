// Ticks to nanoseconds: by the ratio of both clocks' advance since the program started, looked at
// again each 0.1 s. The error shrinks with time (two readings 50 ns apart over 1 ms: 0.005 %).

#include "clock.h"

#include <atomic>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace weir::rt {

bool has_constant_ticks = false;
std::atomic<double> ns_per_tick{1};
uint64_t base_ticks;
int64_t base_ns;

namespace {

std::atomic<uint64_t> calibrated{0};                 // when that was
constexpr uint64_t kCalibrated = uint64_t{1} << 28;  // ticks that it is good for: about 0.1 s

bool probe_constant_ticks() noexcept {
#if defined(__x86_64__)
  // CPUID 80000007H, EDX bit 8: invariant TSC (constant rate in all power states, in step on all
  // cores).
  unsigned a, b, c, d;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
#else
  return true;  // the generic timer is architectural
#endif
}

// Before all other constructors: a global's constructor may already use channels.
[[gnu::constructor(101)]] void start_clock() {
  has_constant_ticks = probe_constant_ticks();
  base_ticks = cputicks();
  base_ns = nanotime();
}

}  // namespace

int64_t ns_since(uint64_t ticks) noexcept {
  uint64_t now = cputicks();
  if (ticks >= now) return 0;
  if (!has_constant_ticks) return static_cast<int64_t>(now - ticks);
  if (now - calibrated.load(std::memory_order_relaxed) > kCalibrated) calibrate_ticks();
  return static_cast<int64_t>(ticks_to_ns(now - ticks));
}

uint64_t ticks_to_ns(uint64_t ticks) noexcept {
  return static_cast<uint64_t>(static_cast<double>(ticks) *
                               ns_per_tick.load(std::memory_order_relaxed));
}

void calibrate_ticks() noexcept {
  if (!has_constant_ticks) return;
  uint64_t ticks = cputicks() - base_ticks;
  int64_t ns = nanotime() - base_ns;
  if (ticks == 0 || ns <= 0) return;
  ns_per_tick.store(static_cast<double>(ns) / static_cast<double>(ticks),
                    std::memory_order_relaxed);
  calibrated.store(base_ticks + ticks, std::memory_order_relaxed);
}

}  // namespace weir::rt
