// Counting what the scheduler does (sched_stats in runtime2.h). Each count costs its writer a plain
// load and store; readers see a moment's value.
#pragma once

#include <bit>

#include "clock.h"
#include "runtime2.h"

namespace weir::rt {

// A goroutine that was made ready at `since` begins to run on p.
inline void count_latency(P* p, uint64_t since) noexcept {
  uint64_t now = cputicks();
  uint64_t ns = now > since ? ticks_to_ns(now - since) : 0;
  auto bucket = static_cast<size_t>(std::bit_width(ns / 64));
  if (bucket >= introspect::kLatencyBuckets) bucket = introspect::kLatencyBuckets - 1;
  count(p->stats.latency[bucket]);
  count(p->stats.latency_ns, ns);
}

// Adds `from`'s counts to `to`'s and clears them (p leaves the gomaxprocs range; the world is
// stopped).
void move_stats(sched_stats& from, sched_stats& to) noexcept;

// WEIR_SCHEDTRACE: prints a line like Go's `GODEBUG=schedtrace` on stderr, `ms` after start_ns.
void print_schedtrace(int64_t ms) noexcept;

}  // namespace weir::rt
