// Sleeping. Go: package time.
#pragma once

#include <chrono>
#include <cstdint>

#include <weir/detail/pc.h>

namespace weir {

namespace detail {
void sleep_ns(int64_t ns);
}

// Blocks the calling goroutine (or thread) for at least d (wait reason "sleep"); returns at once
// where d is not positive. Go: time.Sleep.
template <class Rep, class Period>
[[gnu::always_inline]] inline void sleep_for(std::chrono::duration<Rep, Period> d) {
  detail::sleep_ns(std::chrono::ceil<std::chrono::nanoseconds>(d).count());
  detail::keep_frame();
}

// Blocks until the steady clock shows t. Go: time.Sleep(time.Until(t)).
[[gnu::always_inline]] inline void sleep_until(std::chrono::steady_clock::time_point t) {
  sleep_for(t - std::chrono::steady_clock::now());
}

}  // namespace weir
