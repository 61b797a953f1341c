// Plain OS threads that use weir: each has a G that is not scheduled; it blocks on a futex instead.
#pragma once

#include "runtime2.h"

namespace weir::rt {

// gopark for a thread; at most until `until` (nanotime). False: that has passed, and G::select_done
// was won, so nobody will wake it.
bool thread_park(G* gp, void (*commit)(G*, void*), void* arg, int64_t until = INT64_MAX) noexcept;
// Wakes a parked thread. Async with its exit: the G's memory stays readable.
void thread_ready(G* gp) noexcept;

}  // namespace weir::rt
