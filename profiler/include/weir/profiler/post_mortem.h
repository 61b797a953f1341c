// The goroutines of a process that takes no part in it: of a core file, or of a running process by
// its id alone. The same Snapshot as capture() gives in the process itself, read from outside by
// what every weir program says about itself (<weir/post_mortem.h>). Stacks of creation
// (WEIR_CREATION_STACKS) are not read.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// Reads a core file, of a crash or by gcore. `exe`: the program that it is of; empty: the one that
// the core names. Libraries are looked for where the core says; one that is not there, or is
// another one, ends the stacks that go through it. A time is until the last thing that happened in
// the process. The core is not trusted: of a damaged or cut one what is there is read, and
// Snapshot::truncated says so. Throws error: not a core, not of this program, not of a weir
// program, ...
Snapshot read_core(const std::string& core, const std::string& exe = {});

struct ReadProcessOptions {
  // The longest that the process is stopped, at most.
  int64_t longest_stop_ns = 100'000'000;
};

// Reads a running process, which need not serve the debug endpoint. Parked goroutines are read
// while it runs; for what runs, or never stands still, all its threads are stopped once, for
// milliseconds (Snapshot::longest_hold_ns). What does not fit into longest_stop_ns is shown without
// a stack. The process goes on in any case, also when the reader dies. Needs the rights of a
// debugger (ptrace). Throws error: no such process, no right to, not a weir program, ...
Snapshot read_process(pid_t pid, const ReadProcessOptions& options = {});

}  // namespace weir::profiler
