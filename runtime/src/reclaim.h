// reclaim: gives the memory of stacks back. sysmon's work.
//
// Free stacks. What was free throughout a period was surplus for all of it: half of that is given
// back in the next. So bursts that come once a period find their stacks warm, what the past needed
// and the present does not is gone after a few periods, and nothing is kept for ever. (What stays
// are the lists of the Ps: at most 64 stacks and 4 MiB each, stack.cc.)
//
// Parked goroutines. One that has been parked for long gives back the pages below its saved stack
// pointer, which hold nothing (the red zone is spared): its state is Gcopystack meanwhile, which
// excludes wakers and profilers. Which goroutines have such pages is not asked of them: the kernel
// tells which pages of a chunk have memory (mincore), at 50 ns a slot, and shallow ones, with their
// top page only, are passed over without being touched. A million parked ones are gone through in
// under a minute, on a part in a thousand of one processor.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir::rt {

// When things are done, ns. Changed by tests only.
struct ReclaimPace {
  std::atomic<int64_t> tick{10'000'000};        // between two pieces of work
  std::atomic<int64_t> budget{100'000};         // for one, after which nothing more is begun
  std::atomic<int64_t> period{5'000'000'000};   // over which the surplus is found
  std::atomic<int64_t> pass{2'500'000'000};     // between the starts of two passes over all stacks
  std::atomic<int64_t> parked{10'000'000'000};  // how long a goroutine has been parked for trimming
};
extern ReclaimPace reclaim_pace;

// What was given back so far.
struct Reclaimed {
  std::atomic<uint64_t> stacks, stack_bytes;   // of free stacks
  std::atomic<uint64_t> trims, trimmed_bytes;  // of parked goroutines
};
extern Reclaimed reclaimed;

// Does a piece of work if one is due. idle: no goroutine has run since the last call that said so.
// Returns when it wants to be called again although nothing runs, nanotime(); 0: never. sysmon
// only.
int64_t reclaim_stacks(int64_t now, bool idle) noexcept;

}  // namespace weir::rt
