// Trends that outliers do not move: does a series rise, and how fast. Pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace weir::profiler::trend {

// Mann-Kendall: how many more of all pairs rise with time than fall.
struct MannKendall {
  int64_t s = 0;  // pairs that rise, less those that fall
  double z = 0;   // standard normal where there is no trend; ties are allowed for
  double p = 1;   // one-sided: that it rises so clearly by chance
};
MannKendall mann_kendall(std::span<const double> values);

// Theil-Sen: the median of the slopes between all pairs; `at` rises. 0: fewer than two points.
double theil_sen(std::span<const double> at, std::span<const double> values);

}  // namespace weir::profiler::trend
