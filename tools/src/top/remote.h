// What weir's endpoint tells beside goroutines, read from its JSON: the scheduler's report and the
// findings. Input is not trusted: texts and lists are bounded, what is missing or of another type
// counts as not known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/profiler/finding.h>

namespace weir::tools::top {

// Schema weir.sched/1 (http/src/routes/sched_report.cc).
struct Sched {
  struct Proc {
    bool idle = false, syscall = false;
    uint64_t queue = 0, slices = 0;
  };
  struct Bucket {
    std::optional<int64_t> below_ns;  // not given: above all others
    uint64_t count = 0;
  };
  int64_t taken_at_ns = 0;
  uint64_t goroutines = 0, created = 0, plain_threads = 0;
  std::vector<std::pair<std::string, uint64_t>> states, waiting;  // not 0, most first
  uint64_t gomaxprocs = 0, idle_procs = 0, global_queue = 0, local_queues = 0;
  std::vector<Proc> procs;
  uint64_t threads = 0, idle_threads = 0, spinning = 0;
  uint64_t blocking = 0, blocking_waiting = 0;
  uint64_t switches = 0, parks = 0, steals = 0, retakes = 0, polls = 0;
  uint64_t measured = 0;                          // waits in the queue
  std::optional<int64_t> p50_ns, p90_ns, p99_ns;  // bounds; not given: nothing measured
  std::vector<Bucket> latency;
  uint64_t stack_bytes = 0;                       // committed
  uint64_t contexts = 0, forgotten_contexts = 0;  // active
};

// How fast the totals went up between two reports.
struct SchedRates {
  double created = 0, switches = 0, parks = 0, steals = 0, retakes = 0, polls = 0;  // a second
};

// Throw std::runtime_error where the text is not JSON of that schema.
Sched read_sched(std::string_view json);
profiler::Findings read_findings(std::string_view json);

// Not given: another process, or no time between them.
std::optional<SchedRates> rates(const Sched& before, const Sched& now);

}  // namespace weir::tools::top
