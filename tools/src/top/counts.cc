#include "counts.h"

#include <algorithm>

namespace weir::tools::top {

namespace {

uint32_t clamped(uint64_t n) { return static_cast<uint32_t>(std::min<uint64_t>(n, UINT32_MAX)); }

}  // namespace

std::optional<double> slope_per_minute(std::span<const int64_t> at_ns,
                                       std::span<const uint32_t> counts) {
  const size_t n = std::min(at_ns.size(), counts.size());
  if (n < 2) return std::nullopt;
  double mean_t = 0, mean_c = 0;
  for (size_t i = 0; i < n; ++i) {
    mean_t += static_cast<double>(at_ns[i] - at_ns[0]) / 60e9 / static_cast<double>(n);
    mean_c += static_cast<double>(counts[i]) / static_cast<double>(n);
  }
  double above = 0, below = 0;
  for (size_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(at_ns[i] - at_ns[0]) / 60e9 - mean_t;
    above += t * (static_cast<double>(counts[i]) - mean_c);
    below += t * t;
  }
  if (below <= 0) return std::nullopt;
  return above / below;
}

void Counts::add(int64_t at_ns, std::span<const std::pair<uint64_t, uint64_t>> by_site) {
  // Between the last two points there is less than a point's share of the window: the newest moves.
  const size_t n = times_.size();
  const int64_t share = kWindowNs / static_cast<int64_t>(kMaxPoints);
  if (n >= 2 && at_ns - times_[n - 2] < share) forget(n - 1);
  while (times_.size() >= kMaxPoints ||
         (times_.size() >= kMinPoints && at_ns - times_.front() > kWindowNs)) {
    forget(0);
  }
  times_.push_back(at_ns);
  uint64_t total = 0;
  for (const auto& [site, count] : by_site) {
    total += count;
    std::vector<uint32_t>& counts = sites_[site];
    counts.resize(times_.size() - 1);  // new here: it was nobody's until now
    counts.push_back(clamped(count));
  }
  total_.push_back(clamped(total));
  for (auto it = sites_.begin(); it != sites_.end();) {
    std::vector<uint32_t>& counts = it->second;
    if (counts.size() < times_.size()) counts.push_back(0);
    const bool gone = std::ranges::all_of(counts, [](uint32_t c) { return c == 0; });
    it = gone ? sites_.erase(it) : std::next(it);
  }
}

void Counts::clear() {
  times_.clear();
  total_.clear();
  sites_.clear();
}

void Counts::forget(size_t point) {
  const auto at = static_cast<ptrdiff_t>(point);
  times_.erase(times_.begin() + at);
  total_.erase(total_.begin() + at);
  for (auto& [site, counts] : sites_) counts.erase(counts.begin() + at);
}

std::vector<uint32_t> Counts::of(uint64_t site) const {
  const auto it = sites_.find(site);
  return it == sites_.end() ? std::vector<uint32_t>(times_.size()) : it->second;
}

std::optional<double> Counts::growth(std::span<const uint32_t> counts) const {
  return slope_per_minute(times_, counts);
}

}  // namespace weir::tools::top
