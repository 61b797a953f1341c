#include "date.h"

#include <cstdio>
#include <ctime>

namespace weir::http {

// Not inlined: the address of a thread_local must not be kept over a call that can block.
[[gnu::noinline]] std::string_view date_now() noexcept {
  thread_local time_t when = -1;
  thread_local char text[40];
  thread_local size_t size = 0;
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != when) {
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    tm t{};
    gmtime_r(&now.tv_sec, &t);
    size = static_cast<size_t>(std::snprintf(
        text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[t.tm_wday], t.tm_mday,
        kMonths[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec));
    when = now.tv_sec;
  }
  return {text, size};
}

}  // namespace weir::http
