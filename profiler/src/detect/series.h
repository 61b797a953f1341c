// Series of counts in fixed memory: the newest samples one by one, older ones in ever longer
// blocks. A block has the least, the most and the last count of its samples.
//
// Which block a sample belongs to depends on its number alone, so all series of a Timeline share
// its times, and one that begins late has zeros before that: nobody was there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::profiler::series {

// Each level's blocks have kRatio times the samples of the level below. With one sample each 10 s:
// five minutes one by one, then half an hour, three hours, 19 hours, five days and four weeks.
inline constexpr size_t kLevels = 6, kPoints = 32;
inline constexpr uint64_t kRatio = 6;

struct Counts {
  uint32_t least = 0, most = 0, last = 0;
};

// The counts of one series. 2304 bytes.
struct Rings {
  std::array<std::array<Counts, kPoints>, kLevels> levels{};
};

// One block: samples [first, end), the last of which was taken at `at_ns`.
struct Block {
  uint64_t first = 0, end = 0;
  int64_t at_ns = 0;
  Counts counts;
};

class Timeline {
 public:
  // The next sample: before the counts of its series are recorded. `at_ns` rises.
  void add(int64_t at_ns);
  // The count of one series in the newest sample; each series gets one for each sample.
  void record(Rings& to, uint32_t count) const;

  uint64_t samples() const { return samples_; }
  // Without gaps from the first sample that is kept (or from sample `born`) on, oldest first, each
  // as fine as it is kept.
  std::vector<Block> blocks(const Rings& of, uint64_t born) const;
  // The blocks of the finest level that goes back to `since_ns`, else of the coarsest; newest
  // sample included.
  std::vector<Block> window(const Rings& of, uint64_t born, int64_t since_ns) const;

 private:
  void append(const Rings& of, size_t level, uint64_t first, uint64_t end,
              std::vector<Block>& to) const;
  uint64_t oldest(size_t level) const;  // the first sample that the level keeps

  uint64_t samples_ = 0;
  std::array<std::array<int64_t, kPoints>, kLevels> times_{};
};

}  // namespace weir::profiler::series
