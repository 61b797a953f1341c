// Sleeping. Go: package time. (Timers: timer.h.)
#pragma once

#include <chrono>
#include <cstdint>

#include <weir/detail/duration.h>
#include <weir/detail/pc.h>

namespace weir {

class Context;

namespace detail {
void sleep_ns(int64_t ns);
void sleep_until_ns(int64_t when);  // of the monotonic clock
bool sleep_ns(const Context& ctx, int64_t ns);
}  // namespace detail

// Blocks the calling goroutine (or thread) for at least d (wait reason "sleep"); returns at once
// where d is not positive. Go: time.Sleep.
template <class Rep, class Period>
[[gnu::always_inline]] inline void sleep_for(std::chrono::duration<Rep, Period> d) {
  detail::sleep_ns(detail::to_ns(d));
  detail::keep_frame();
}

// The same, until ctx is done at the latest. True: d has passed; false: ctx was done first, or
// before. Go: select over ctx.Done() and time.After(d).
template <class Rep, class Period>
[[nodiscard, gnu::always_inline]] inline bool sleep_for(const Context& ctx,
                                                        std::chrono::duration<Rep, Period> d) {
  bool slept = detail::sleep_ns(ctx, detail::to_ns(d));
  detail::keep_frame();
  return slept;
}

// Blocks until the steady clock shows t; returns at once where it does already. Go:
// time.Sleep(time.Until(t)).
[[gnu::always_inline]] inline void sleep_until(std::chrono::steady_clock::time_point t) {
  detail::sleep_until_ns(t.time_since_epoch().count());
  detail::keep_frame();
}

}  // namespace weir
