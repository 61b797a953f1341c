// What the runtime tells profilers about while it runs: who was kept waiting, who kept others
// waiting, and where goroutines were created. All off by default; each costs one load of a flag, on
// paths that park, wake or create, until it is switched on.
//
//   weir::set_block_profile_rate(10'000);   // one event for each 10 us of waiting, on average
//   weir::set_mutex_profile_fraction(10);   // one of 10 contended unlocks
//
// What is recorded is read through weir::profiler (<weir/profiler/profile.h>), which the program
// must be linked with, or over HTTP: /debug/pprof/block, /debug/pprof/mutex, /debug/pprof/creation.
// Without the profiler nothing is recorded. All functions: any thread or goroutine, at any time.
#pragma once

#include <cstdint>

namespace weir {

// The block profile: waits for channels, select, Mutex, RWMutex, WaitGroup, Cond and Semaphore (not
// sleeps, not IO), recorded by the one who waited, when he goes on. `ns`: a wait of that length or
// longer is recorded for certain, a shorter one by chance, in proportion to its length, and counted
// for those that were not; so sums are right on average. 1: all waits; 0 or less: none (default).
// Environment: WEIR_BLOCK_PROFILE_RATE, read by run(). Go: runtime.SetBlockProfileRate.
void set_block_profile_rate(int64_t ns) noexcept;
int64_t block_profile_rate() noexcept;

// The mutex profile: unlocks of a Mutex or RWMutex that others waited for, recorded by the one who
// unlocks, with the time that they had waited. One of n such events is recorded, and counted n
// times; 1: all; 0: none (default); below 0 changes nothing. Returns the former value.
// Environment: WEIR_MUTEX_PROFILE_FRACTION, read by run(). Go: runtime.SetMutexProfileFraction.
int set_mutex_profile_fraction(int n) noexcept;

// From now on, record for each new goroutine the whole stack of the `go` that created it (false: no
// longer), where otherwise the place alone is known. Costs a stack walk for each goroutine
// created. Returns the former value. Environment: WEIR_CREATION_STACKS=0|1, read by run(). Go has
// nothing like it (golang/go issue 16894).
bool set_creation_stacks(bool on) noexcept;

}  // namespace weir
