// Symbolizer: program counter -> functions, file and line, inlined calls included.
//
// From the debug information (DWARF) of the loaded objects, else from their symbol tables, else the
// address itself as text. One for the process, with a bounded cache per program counter that lives
// across captures: each distinct one is looked up once. Thread-safe by one lock (libdw is not);
// never used while a goroutine is held. Others may be made for other processes.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <weir/profiler/snapshot.h>

#include "dwarf_index.h"
#include "module_set.h"

namespace weir::profiler {

using Frames = std::shared_ptr<const std::vector<Frame>>;

class Symbolizer {
 public:
  // `modules` is used by nobody else.
  explicit Symbolizer(ModuleSet& modules) : modules_(modules) {}

  // As the functions below.
  Frames look_up(uint64_t pc);
  void refresh();
  std::vector<Mapping> mappings();

 private:
  std::vector<Frame> resolve(uint64_t pc);
  std::vector<Frame> from_dwarf(Dwfl_Module* module, uint64_t pc, const char* symbol);
  DwarfIndex* index_of(Dwfl_Module* module, Dwarf_Addr& bias);

  std::mutex mutex_;
  ModuleSet& modules_;
  std::unordered_map<Dwfl_Module*, std::unique_ptr<DwarfIndex>> indexes_;
  std::unordered_map<uint64_t, Frames> cache_;
};

// That of this process.
Symbolizer& own_symbolizer();

// The frames at `pc`, innermost first; never empty. `pc` is inside the instruction meant: for a
// caller the return address - 1.
Frames symbolize(uint64_t pc);

// Takes note of objects that were loaded and unloaded. Once before a batch of symbolize() calls.
void refresh_symbols();

}  // namespace weir::profiler
