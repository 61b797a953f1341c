// Durations of any type as nanoseconds.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir::detail {

// d in ns, rounded up; what does not fit becomes the largest or smallest number there is.
template <class Rep, class Period>
constexpr int64_t to_ns(std::chrono::duration<Rep, Period> d) noexcept {
  constexpr double kLimit = 9.2e18;  // below 2^63 by more than a double's precision there
  double ns = std::chrono::duration<double, std::nano>(d).count();
  if (!(ns < kLimit)) return INT64_MAX;
  if (!(ns > -kLimit)) return INT64_MIN;
  return std::chrono::ceil<std::chrono::nanoseconds>(d).count();
}

}  // namespace weir::detail
