// Counting what the scheduler does (stats.h).

#include "stats.h"

#include <cstdio>

#include <weir/introspect.h>

#include "fatal.h"
#include "runq.h"

namespace weir::rt {

void move_stats(sched_stats& from, sched_stats& to) noexcept {
  auto move = [](std::atomic<uint64_t>& a, std::atomic<uint64_t>& b) {
    b.fetch_add(a.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
  };
  move(from.created, to.created);
  move(from.exited, to.exited);
  move(from.switches, to.switches);
  move(from.parks, to.parks);
  move(from.steals, to.steals);
  move(from.stolen, to.stolen);
  move(from.spins, to.spins);
  move(from.syscalls, to.syscalls);
  move(from.polls, to.polls);
  for (size_t i = 0; i < introspect::kLatencyBuckets; i++) move(from.latency[i], to.latency[i]);
  move(from.latency_ns, to.latency_ns);
}

void print_schedtrace(int64_t ms) noexcept {
  introspect::Sched s = introspect::sched();
  char line[512];
  snprintf(line, sizeof line,
           "SCHED %lldms: gomaxprocs=%d idleprocs=%d threads=%d spinningthreads=%d "
           "needspinning=%d idlethreads=%d runqueue=%zu [",
           static_cast<long long>(ms), s.gomaxprocs, s.idle_ps, s.ms, s.spinning_ms,
           sched.needspinning.load() ? 1 : 0, s.idle_ms, s.global_queue);
  raw_print(line);
  for (int i = 0; i < s.gomaxprocs; i++) {
    snprintf(line, sizeof line, " %u", runqlen(allp[i]));
    raw_print(line);
  }
  raw_print(" ] schedticks=[");
  for (int i = 0; i < s.gomaxprocs; i++) {
    snprintf(line, sizeof line, " %u", allp[i]->schedtick.load(std::memory_order_relaxed));
    raw_print(line);
  }
  snprintf(line, sizeof line,
           " ] goroutines=%zu blocking=%d switches=%llu steals=%llu handoffs=%llu retakes=%llu\n",
           s.goroutines, s.blocking, static_cast<unsigned long long>(s.switches),
           static_cast<unsigned long long>(s.steals), static_cast<unsigned long long>(s.handoffs),
           static_cast<unsigned long long>(s.retakes));
  raw_print(line);
}

}  // namespace weir::rt
