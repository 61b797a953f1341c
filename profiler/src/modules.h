// Modules: the loaded objects of this process (executable, libraries, vdso), as libdw wants them.
//
// A file is used only if it is the one that was loaded (same build id, where the loaded one has
// any), so that a program which was rebuilt while it runs is not explained by the new file. Debug
// information is looked for in the object itself and under /usr/lib/debug, never on the network.
// Not thread-safe: who owns a Modules has a lock. All of it may allocate and read files.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <weir/profiler/snapshot.h>

#include "module_set.h"

namespace weir::profiler {

class Modules final : public ModuleSet {
 public:
  Modules();
  ~Modules() override;
  Modules(const Modules&) = delete;
  Modules& operator=(const Modules&) = delete;

  bool refresh() override;
  Dwfl_Module* find(uintptr_t address) override;
  std::vector<Mapping> mappings() override;  // of now

 private:
  struct Object;

  static int find_elf(Dwfl_Module* module, void** userdata, const char* name, Dwarf_Addr base,
                      char** file_name, Elf** elf);
  static const Dwfl_Callbacks kCallbacks;

  Dwfl* dwfl_;
  std::vector<std::unique_ptr<Object>> objects_;
  unsigned long long loads_ = 0, unloads_ = 0;  // of the dynamic linker, as of the last refresh
};

}  // namespace weir::profiler
