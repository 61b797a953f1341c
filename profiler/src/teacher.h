// Teacher: rules (rules.h) for those who cannot learn them where they are. A goroutine has too
// little stack to read debug information on, so it asks the teacher, a thread of the library, and
// waits; once for each program counter in the life of the process.
//
// The wait is bounded: who asks may hold something that the teacher needs (the dynamic linker's
// lock). While the teacher is late for one, others do not wait at all. The wait keeps the OS
// thread; a goroutine's P is taken away by sysmon when it takes long.
#pragma once

#include <cstdint>

namespace weir::profiler::teacher {

// Starts the thread, which then reads what it needs to know about the program. Any thread; not on
// a path where time matters.
void start();

// True: the rule for `pc` is known. False: not in time, or not at all; go on without. Any thread or
// goroutine, but not in a signal handler and not while a goroutine is held.
bool learn(uintptr_t pc) noexcept;

}  // namespace weir::profiler::teacher
