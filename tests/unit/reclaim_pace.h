// Stacks' memory is given back at once, not after seconds, while one of these lives: the runtime's
// own hook (runtime/src/reclaim.h), which is no public API.
#pragma once

#include <cstdint>

#include "../../runtime/src/reclaim.h"

namespace weir::testing {

class FastReclaim {
 public:
  // parked_ns: for how long a goroutine has been parked when it is trimmed.
  explicit FastReclaim(int64_t parked_ns = 0) { set(0, 10'000'000, 1'000'000, 0, parked_ns); }
  ~FastReclaim() {
    rt::ReclaimPace usual;
    set(usual.tick, usual.budget, usual.period, usual.pass, usual.parked);
  }
  FastReclaim(const FastReclaim&) = delete;
  FastReclaim& operator=(const FastReclaim&) = delete;

 private:
  static void set(int64_t tick, int64_t budget, int64_t period, int64_t pass, int64_t parked) {
    rt::reclaim_pace.tick = tick;
    rt::reclaim_pace.budget = budget;
    rt::reclaim_pace.period = period;
    rt::reclaim_pace.pass = pass;
    rt::reclaim_pace.parked = parked;
  }
};

}  // namespace weir::testing
