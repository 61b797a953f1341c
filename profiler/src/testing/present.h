// Who is there: all goroutines, without a look at their stacks.
#pragma once

#include <cstdint>
#include <vector>

namespace weir::testing {

struct Present {
  uint64_t goid = 0;
  uint64_t parent_goid = 0;  // 0: a plain thread's that never used weir, or none
  bool marked = false;       // has the mark that was asked for
  bool unknown = false;      // runs, and did not tell in time whether it has the mark
  bool busy = false;         // runs, may run, or is in a blocking call; else it waits
  int64_t since_ns = 0;      // in this state
};

// Every goroutine that lives throughout the call, once; the caller itself is never marked. `mark`:
// 0: none is asked for. Any goroutine or thread; several at once.
std::vector<Present> present(uint64_t mark);

}  // namespace weir::testing
