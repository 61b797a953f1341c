// SchedReport: the scheduler in numbers, as a value, and what is shown of it. Pure functions.
#pragma once

#include <weir/introspect.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <weir/profiler/census.h>

namespace weir::http {

struct SchedReport {
  int64_t taken_at_ns = 0;  // wall clock, since 1970
  introspect::Sched sched{};
  std::vector<introspect::Proc> procs{};  // by number
  introspect::StackMemory stacks{};
  uint64_t stack_bytes = 0;  // that have memory
  profiler::Census census{};
};

// A bound that `share` (0 .. 1) of the measured waits in the queue were below, ns. Not given:
// nothing was measured, or they were beyond the last bound.
std::optional<int64_t> latency_below(const introspect::Sched& s, double share);

// For people: aligned, with units.
std::string text(const SchedReport& r);
// Schema "weir.sched/1": src/sched_report.cc describes it.
std::string json(const SchedReport& r);

}  // namespace weir::http
