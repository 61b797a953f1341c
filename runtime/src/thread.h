// Plain OS threads that use weir: each has a G that is not scheduled; it blocks on a futex instead.
#pragma once

#include "runtime2.h"

namespace weir::rt {

// gopark for a thread.
void thread_park(G* gp, void (*commit)(G*, void*), void* arg) noexcept;
// Wakes a parked thread. Async with its exit: the G's memory stays readable.
void thread_ready(G* gp) noexcept;

}  // namespace weir::rt
