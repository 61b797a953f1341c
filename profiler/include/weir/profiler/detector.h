// Detector: snapshots of one process in, findings out.
//
//   Detector d;
//   for (;;) { d.observe(capture(), steady_now_ns()); show(d.findings()); sleep(5s); }
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <weir/profiler/finding.h>
#include <weir/profiler/history.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler {

struct DetectOptions {
  // Findings with a frame or creator that matches any of these are left out: RE2, at most 1000
  // bytes each, searched for in functions and files.
  std::vector<std::string> ignore{};
};

// What a single snapshot tells: what is proven, and what has waited long enough in a pattern that
// leaks to be suspected. Throws weir::profiler::error when a regular expression is not one.
Findings detect(const Snapshot& s, const DetectOptions& options = {});

class Detector {
 public:
  // Throws as detect.
  explicit Detector(const DetectOptions& options = {}, const HistoryOptions& history = {});

  // The next snapshot; `at_ns`: of a clock that only goes forward.
  void observe(const Snapshot& s, int64_t at_ns);
  // As of the last one.
  const Findings& findings() const { return findings_; }
  const History& history() const { return history_; }

 private:
  struct Seen {
    int64_t first_ns = 0;
    uint64_t peak = 0;
  };
  void remember(const Snapshot& s, Findings& found);

  DetectOptions options_;
  History history_;
  Findings findings_;
  std::unordered_map<std::string, Seen> seen_;  // by site and kind
};

}  // namespace weir::profiler
