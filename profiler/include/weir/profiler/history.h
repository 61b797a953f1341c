// History: how many goroutines were at each site over time, in bounded memory: fine for minutes,
// coarse for days; and which of these series are leaks.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <weir/profiler/finding.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler {

class Sites;

struct HistoryOptions {
  size_t max_sites = 10'000;  // beyond these the smallest are not kept; total() has them, too
};

// What growth says of one site.
struct Growth {
  uint64_t site = 0;
  // nothing: it does not grow. suspect: it may. likely: by survival where goroutines can be told
  // apart, by the trend alone where they cannot.
  std::optional<Certainty> verdict{};
  // Goroutines were there from the first samples on, and those are not ten minutes ago: a program
  // that has just started fills its pools, caches and sessions, and none of these has gone yet.
  bool may_fill = false;
  uint64_t count = 0, peak = 0;
  double per_minute = 0;                        // Theil-Sen slope of the floor of the counts
  int64_t first_seen_ns = 0, last_seen_ns = 0;  // wall clock: when goroutines were there
  std::vector<std::string> evidence;            // sentences with numbers and units
};

// One site over time; each point is what there was between it and the one before.
struct Series {
  uint64_t site = 0;
  struct Point {
    int64_t at_ns = 0;  // wall clock
    uint64_t least = 0, most = 0, last = 0;
  };
  std::vector<Point> points;  // oldest first; the newest are one sample each
};

class History {
 public:
  explicit History(const HistoryOptions& options = {});
  ~History();
  History(History&&) noexcept;
  History& operator=(History&&) noexcept;

  // The next sample. `at_ns`: of a clock that only goes forward, whatever its zero. One that is not
  // later than the last is passed over.
  void add(const Snapshot& s, const Sites& sites, int64_t at_ns);

  size_t samples() const noexcept;  // since the start, or since the process was started anew
  Growth growth(uint64_t site) const;
  std::vector<Growth> growths() const;  // those with a verdict
  Series series(uint64_t site) const;   // empty: not known
  Series total() const;                 // all goroutines
  std::vector<uint64_t> sites() const;  // that are known, most goroutines first
  size_t bytes() const noexcept;        // of memory

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::profiler
