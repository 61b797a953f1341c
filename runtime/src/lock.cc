// spin_lock's slow path.

#include <weir/detail/sema.h>

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "futex.h"

namespace weir::rt {

void spin_lock::lock_slow() noexcept {
  constexpr int kSpins = 100, kYields = 5;
  constexpr long kFirstNap = 20'000, kLongestNap = 1'000'000;  // ns
  int saved = errno;
  timespec nap = {0, kFirstNap};
  for (int i = 0;; i++) {
    if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) break;
    if (i < kSpins) {
      cpu_pause();
    } else if (i < kSpins + kYields) {
      sched_yield();
    } else {
      // Not sched_yield for ever: under a real-time policy the holder would never run.
      nanosleep(&nap, nullptr);
      nap.tv_nsec = std::min(nap.tv_nsec * 2, kLongestNap);
    }
  }
  errno = saved;
}

}  // namespace weir::rt
