// ModuleSet: the objects (executable, libraries, vdso) that a process has loaded, as libdw wants
// them: of this process (modules.h) or of another one, dead or alive (post_mortem/). What stacks
// are walked by and named by.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// Not thread-safe: who owns one has a lock. All of it may allocate and read files.
class ModuleSet {
 public:
  virtual ~ModuleSet() = default;

  // Takes note of what was loaded and unloaded since the last call. True: something was unloaded,
  // and whatever was derived from addresses or Dwfl_Module pointers must be dropped.
  virtual bool refresh() = 0;

  // The object that has `address`, as of the last refresh; null: none.
  virtual Dwfl_Module* find(uintptr_t address) = 0;

  // The executable segments of all objects: the program's own first, then by address.
  virtual std::vector<Mapping> mappings() = 0;
};

}  // namespace weir::profiler
