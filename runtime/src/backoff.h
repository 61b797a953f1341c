// backoff: how to wait for another thread that needs nothing but a processor for a moment.
#pragma once

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "futex.h"

namespace weir::rt {

class backoff {
 public:
  // One step of waiting, each longer than the one before: about 1 us together at first, at last
  // naps of 1 ms. Keeps errno.
  void pause() noexcept {
    if (steps_ < kSpins + kYields) steps_++;
    if (steps_ <= kSpins) {
      cpu_pause();
      return;
    }
    const int saved = errno;
    if (steps_ < kSpins + kYields) {
      sched_yield();
    } else {
      // Not sched_yield for ever: under a real-time policy the other thread would never run.
      const timespec nap = {0, nap_};
      nanosleep(&nap, nullptr);
      nap_ = std::min(nap_ * 2, kLongestNap);
    }
    errno = saved;
  }

 private:
  static constexpr int kSpins = 100, kYields = 5;
  static constexpr long kFirstNap = 20'000, kLongestNap = 1'000'000;  // ns
  int steps_ = 0;
  long nap_ = kFirstNap;
};

}  // namespace weir::rt
