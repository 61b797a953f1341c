// DwarfIndex: which function of a loaded object's debug information covers an address, and what it
// is called. An index is built lazily: compilation units first, the functions of a unit when an
// address falls into it. (libdw's own look-ups need .debug_aranges, which clang does not write, or
// walk a whole unit for each address.) Belongs to one Dwarf; used under the symbolizer's lock.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::profiler {

class DwarfIndex {
 public:
  explicit DwarfIndex(Dwarf* dwarf);

  struct Function {
    Dwarf_Addr low = 0, high = 0;  // the contiguous piece of code that was hit
    Dwarf_Die die{};               // its DW_TAG_subprogram
    Dwarf_Die unit{};              // the unit's DIE: line table and files
  };
  // Addresses are the file's (without the load bias). False: not covered. A unit without the
  // function gives a Function with die.addr null.
  bool find(Dwarf_Addr pc, Function& out);

  // The readable name of a subprogram or an inlined call. `symbol`: the linker's name for it, if
  // known; debug information leaves it out for functions of internal linkage.
  std::string name_of(Dwarf_Die& die, const char* symbol);

 private:
  struct UnitRange {
    Dwarf_Addr low, high;
    uint32_t unit;
  };
  struct Unit {
    Dwarf_Die die;
    bool indexed = false;
    std::vector<Function> functions;  // sorted by low
  };

  void index_functions(Unit& unit);
  std::string qualified_name(Dwarf_Die declaration);

  std::vector<UnitRange> ranges_;  // sorted by low
  std::vector<Unit> units_;
  std::unordered_map<const void*, std::string> names_;  // of DIEs without linkage name
};

}  // namespace weir::profiler
