// Counts: how many goroutines there were at each site, and in all, over a sliding window of the
// last minute, in bounded memory; how fast each number grows.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::tools::top {

// The slope of the line that fits the points best; not given: no two points in time.
std::optional<double> slope_per_minute(std::span<const int64_t> at_ns,
                                       std::span<const uint32_t> counts);

class Counts {
 public:
  static constexpr int64_t kWindowNs = 60'000'000'000;
  // The window has at most so many points: samples that come faster replace the newest point. At
  // least the last few samples count, however long ago they were.
  static constexpr size_t kMaxPoints = 60, kMinPoints = 4;

  // The next sample: counts by site, each site once. `at_ns` only goes forward.
  void add(int64_t at_ns, std::span<const std::pair<uint64_t, uint64_t>> by_site);
  void clear();

  // Oldest first; a site that was not there counts 0.
  std::vector<uint32_t> of(uint64_t site) const;
  const std::vector<int64_t>& times() const { return times_; }
  std::vector<uint32_t> total() const { return total_; }
  std::optional<double> growth(std::span<const uint32_t> counts) const;
  int64_t span_ns() const { return times_.empty() ? 0 : times_.back() - times_.front(); }

 private:
  void forget(size_t point);

  std::vector<int64_t> times_;
  std::vector<uint32_t> total_;
  // As long as times_, but for what came later: the missing points at the front are 0.
  std::unordered_map<uint64_t, std::vector<uint32_t>> sites_;
};

}  // namespace weir::tools::top
