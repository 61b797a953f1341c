// sysmon: the thread that watches the others. Go's sysmon.
//
// It takes Ps from goroutines in blocking calls (at its second look, 20 us to 10 ms later), and
// from those that have run for 10 ms while others wait (they keep their OS thread and get in line
// for a P at their next runtime call); asks the network when nobody did; keeps the coarse clock;
// gives the memory of stacks back (reclaim.h); and prints the dump of a dying process or of
// SIGQUIT, since it has a full-size stack and is never the one that is stuck. Asleep while nothing
// runs.
#pragma once

#include <cstdint>

namespace weir::rt {

// Starts the thread once.
void start_sysmon();
// WEIR_SCHEDTRACE: prints the scheduler's state each `period` ns on stderr; 0: not.
void set_schedtrace(int64_t period) noexcept;
// An M is about to run goroutines, or a dump was asked for. Async-signal-safe.
void wake_sysmon(bool dump = false) noexcept;
bool on_sysmon() noexcept;
bool have_sysmon() noexcept;

}  // namespace weir::rt
