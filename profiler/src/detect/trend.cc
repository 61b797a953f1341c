// Mann-Kendall and Theil-Sen (trend.h). Quadratic in the points, of which a window has a few dozen.
#include "trend.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace weir::profiler::trend {

MannKendall mann_kendall(std::span<const double> values) {
  MannKendall result;
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t j = i + 1; j < values.size(); ++j) {
      result.s += (values[j] > values[i]) - (values[j] < values[i]);
    }
  }
  // Var(s) = (n(n-1)(2n+5) - sum over ties of t(t-1)(2t+5)) / 18.
  const auto term = [](double n) { return n * (n - 1) * (2 * n + 5); };
  double variance = term(static_cast<double>(values.size()));
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  for (auto at = sorted.begin(); at != sorted.end();) {
    const auto end = std::upper_bound(at, sorted.end(), *at);
    variance -= term(static_cast<double>(end - at));
    at = end;
  }
  if (variance <= 0) return result;  // all are equal
  // Towards zero by one: s moves in steps, the normal distribution does not.
  const double s = static_cast<double>(result.s);
  const double corrected = s > 0 ? s - 1 : s < 0 ? s + 1 : 0;
  result.z = corrected / std::sqrt(variance / 18);
  result.p = std::erfc(result.z / std::sqrt(2.0)) / 2;
  return result;
}

double theil_sen(std::span<const double> at, std::span<const double> values) {
  const size_t n = std::min(at.size(), values.size());
  std::vector<double> slopes;
  slopes.reserve(n * (n + 1) / 2);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) {
      if (at[j] > at[i]) slopes.push_back((values[j] - values[i]) / (at[j] - at[i]));
    }
  }
  if (slopes.empty()) return 0;
  const auto middle = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 2);
  std::nth_element(slopes.begin(), middle, slopes.end());
  if (slopes.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(slopes.begin(), middle)) / 2;
}

}  // namespace weir::profiler::trend
