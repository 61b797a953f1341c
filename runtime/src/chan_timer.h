// A channel with a timer: what Timer, Ticker and `after` are made of (user_timer.cc).
//
// The channel owns the timer: both are one block of memory, which the last handle to the channel
// frees (chanunref), after it has disarmed the timer.
//
// Locks, in the order in which they may be taken: `arming` (stop and reset, one at a time), then
// the timers_lock of a P, then the channel's. `fire` runs under timers_lock and takes the
// channel's. Who disarms, calls deltimer with no lock of the channel held; when it returns, fire is
// over, so a tick from before is in the buffer, where stop and reset drop it, or was received.
#pragma once

#include <weir/mutex.h>

#include <chrono>

#include "hchan.h"
#include "timer.h"

namespace weir::rt {

struct chan_timer : timer {
  hchan c;                                          // with c.timer == this
  std::chrono::steady_clock::time_point undrained;  // its buffer: the tick that nobody received yet
  Mutex arming;
};

// The last handle is gone and nobody waits.
void free_chan_timer(chan_timer* t) noexcept;

}  // namespace weir::rt
