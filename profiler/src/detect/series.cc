// Series (series.h). The block that is not full yet stands in its ring like the others.
#include "series.h"

#include <algorithm>

namespace weir::profiler::series {

namespace {

constexpr std::array<uint64_t, kLevels> kLengths = [] {
  std::array<uint64_t, kLevels> lengths{1};
  for (size_t k = 1; k < kLevels; ++k) lengths[k] = lengths[k - 1] * kRatio;
  return lengths;
}();

}  // namespace

void Timeline::add(int64_t at_ns) {
  for (size_t k = 0; k < kLevels; ++k) times_[k][samples_ / kLengths[k] % kPoints] = at_ns;
  ++samples_;
}

void Timeline::record(Rings& to, uint32_t count) const {
  const uint64_t sample = samples_ - 1;
  for (size_t k = 0; k < kLevels; ++k) {
    Counts& c = to.levels[k][sample / kLengths[k] % kPoints];
    if (sample % kLengths[k] == 0) {
      c = {count, count, count};
    } else {
      c = {std::min(c.least, count), std::max(c.most, count), count};
    }
  }
}

uint64_t Timeline::oldest(size_t level) const {
  if (samples_ == 0) return 0;
  const uint64_t newest = (samples_ - 1) / kLengths[level];
  return newest < kPoints ? 0 : (newest - kPoints + 1) * kLengths[level];
}

void Timeline::append(const Rings& of, size_t level, uint64_t first, uint64_t end,
                      std::vector<Block>& to) const {
  const uint64_t length = kLengths[level];
  for (uint64_t block = first / length; block * length < end; ++block) {
    const size_t i = block % kPoints;
    to.push_back({block * length, std::min((block + 1) * length, samples_), times_[level][i],
                  of.levels[level][i]});
  }
}

std::vector<Block> Timeline::blocks(const Rings& of, uint64_t born) const {
  std::vector<Block> all;
  uint64_t next = std::max(born, oldest(kLevels - 1));
  for (size_t k = kLevels; k-- > 0;) {
    // Up to where the next level takes over: a border of this level's blocks, so nothing is told
    // twice.
    uint64_t end = samples_;
    if (k > 0) {
      const uint64_t border = (oldest(k - 1) + kLengths[k] - 1) / kLengths[k] * kLengths[k];
      end = std::min(border, samples_);
    }
    if (next >= end) continue;
    append(of, k, next, end, all);
    next = end;
  }
  return all;
}

std::vector<Block> Timeline::window(const Rings& of, uint64_t born, int64_t since_ns) const {
  for (size_t k = 0; k < kLevels; ++k) {
    const uint64_t first = oldest(k);
    const bool is_far_enough =
        first <= born || times_[k][first / kLengths[k] % kPoints] <= since_ns;
    if (!is_far_enough && k + 1 < kLevels) continue;
    std::vector<Block> all;
    append(of, k, std::max(first, born), samples_, all);
    while (all.size() > 2 && all[1].at_ns <= since_ns) all.erase(all.begin());
    return all;
  }
  return {};
}

}  // namespace weir::profiler::series
