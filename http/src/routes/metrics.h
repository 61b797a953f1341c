// What Prometheus is told. A pure function over numbers that were read before.
#pragma once

#include <weir/introspect.h>

#include <memory>
#include <string>
#include <string_view>

#include <weir/profiler/capture.h>
#include <weir/profiler/census.h>

#include "observe/observer.h"
#include "process_stats.h"

namespace weir::http {

struct Metrics {
  introspect::Sched sched{};
  introspect::StackMemory stacks{};
  uint64_t stack_bytes = 0;  // that have memory
  profiler::Census census{};
  profiler::CaptureStats captures{};
  std::shared_ptr<const observe::Observation> observation{};  // null: nobody looks
  ProcessStats process{};
  std::string_view version{};
};

// In the text format, version 0.0.4. The same families each time, whatever the numbers are, so that
// no series comes and goes. Times are seconds, sizes are bytes.
std::string exposition(const Metrics& m);

}  // namespace weir::http
