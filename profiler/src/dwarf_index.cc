#include "dwarf_index.h"

#include <dwarf.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "names.h"

namespace weir::profiler {

namespace {

constexpr int kMaxNesting = 200;  // of DIEs

// Calls fn(low, high) for each piece of code of `die`. False: it has no code.
template <class Fn>
bool for_each_range(Dwarf_Die& die, Fn fn) {
  Dwarf_Addr base = 0, low = 0, high = 0;
  bool any = false;
  for (ptrdiff_t at = 0; (at = dwarf_ranges(&die, at, &base, &low, &high)) > 0;) {
    // Functions that the linker dropped are left at address 0, or 1 in range lists.
    if (low <= 1 || low >= high) continue;
    any = true;
    fn(low, high);
  }
  return any;
}

// Calls fn(child) until it returns false.
template <class Fn>
void for_each_child(Dwarf_Die& die, Fn fn) {
  Dwarf_Die child;
  if (dwarf_child(&die, &child) != 0) return;
  do {
    if (!fn(child)) return;
  } while (dwarf_siblingof(&child, &child) == 0);
}

bool holds_functions(int tag) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
    case DW_TAG_module:
      return true;
    default:
      return false;
  }
}

void collect_functions(Dwarf_Die& parent, int nesting, const Dwarf_Die& unit,
                       std::vector<DwarfIndex::Function>& out) {
  if (nesting > kMaxNesting) return;
  for_each_child(parent, [&](Dwarf_Die& child) {
    const int tag = dwarf_tag(&child);
    if (!holds_functions(tag)) return true;
    if (tag == DW_TAG_subprogram) {
      for_each_range(child, [&](Dwarf_Addr low, Dwarf_Addr high) {
        out.push_back({low, high, child, unit});
      });
    }
    collect_functions(child, nesting + 1, unit, out);
    return true;
  });
}

const char* string_of(Dwarf_Die& die, unsigned attribute) {
  Dwarf_Attribute memory;
  Dwarf_Attribute* found = dwarf_attr_integrate(&die, attribute, &memory);
  return found ? dwarf_formstring(found) : nullptr;
}

// Where the thing was declared: that DIE's surroundings are its scopes.
Dwarf_Die declaration_of(Dwarf_Die die) {
  for (int hops = 0; hops < 8; ++hops) {
    Dwarf_Attribute memory;
    Dwarf_Attribute* up = dwarf_attr(&die, DW_AT_abstract_origin, &memory);
    if (!up) up = dwarf_attr(&die, DW_AT_specification, &memory);
    if (!up || !dwarf_formref_die(up, &die)) break;
  }
  return die;
}

bool has_call_operator(Dwarf_Die& type) {
  bool found = false;
  for_each_child(type, [&](Dwarf_Die& child) {
    const char* name = dwarf_tag(&child) == DW_TAG_subprogram ? dwarf_diename(&child) : nullptr;
    found = name && std::strcmp(name, "operator()") == 0;
    return !found;
  });
  return found;
}

// The chain of DIEs from below the unit down to the one at `offset`. DIEs have no parent pointers;
// but siblings are in order, so at each level the last that begins at or before `offset` has it.
std::vector<Dwarf_Die> path_to(Dwarf_Die unit, Dwarf_Off offset) {
  std::vector<Dwarf_Die> path;
  Dwarf_Die at = unit;
  for (int nesting = 0; nesting < kMaxNesting; ++nesting) {
    std::optional<Dwarf_Die> next;
    for_each_child(at, [&](Dwarf_Die& child) {
      if (dwarf_dieoffset(&child) > offset) return false;
      next = child;
      return true;
    });
    if (!next) return {};
    path.push_back(*next);
    if (dwarf_dieoffset(&*next) == offset) return path;
    at = *next;
  }
  return {};
}

// The name of one scope of a qualified name; empty: it does not show.
std::string scope_name(Dwarf_Die& scope) {
  switch (dwarf_tag(&scope)) {
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type: {
      const char* name = dwarf_diename(&scope);
      if (name && *name != '<') return name;
      return has_call_operator(scope) ? "lambda" : "";
    }
    case DW_TAG_subprogram: {
      const char* name = string_of(scope, DW_AT_name);
      return name ? name : "";
    }
    case DW_TAG_namespace: {
      const char* name = dwarf_diename(&scope);
      const bool is_inline = dwarf_hasattr(&scope, DW_AT_export_symbols) != 0;
      return name && !(is_inline && std::strncmp(name, "_", 1) == 0) ? name : "";
    }
    default:
      return "";
  }
}

}  // namespace

DwarfIndex::DwarfIndex(Dwarf* dwarf) {
  Dwarf_CU* cu = nullptr;
  Dwarf_Die die, split;
  while (dwarf_get_units(dwarf, cu, &cu, nullptr, nullptr, &die, &split) == 0) {
    const auto unit = static_cast<uint32_t>(units_.size());
    const bool any = for_each_range(die, [&](Dwarf_Addr low, Dwarf_Addr high) {
      ranges_.push_back({low, high, unit});
    });
    if (!any) continue;
    // The functions of a unit with split debug information stand in its other half.
    units_.push_back({split.addr ? split : die, false, {}});
  }
  std::sort(ranges_.begin(), ranges_.end(),
            [](const UnitRange& a, const UnitRange& b) { return a.low < b.low; });
}

void DwarfIndex::index_functions(Unit& unit) {
  collect_functions(unit.die, 0, unit.die, unit.functions);
  std::sort(unit.functions.begin(), unit.functions.end(),
            [](const Function& a, const Function& b) { return a.low < b.low; });
  unit.indexed = true;
}

bool DwarfIndex::find(Dwarf_Addr pc, Function& out) {
  auto range = std::upper_bound(ranges_.begin(), ranges_.end(), pc,
                                [](Dwarf_Addr a, const UnitRange& r) { return a < r.low; });
  if (range == ranges_.begin() || (--range)->high <= pc) return false;
  Unit& unit = units_[range->unit];
  if (!unit.indexed) index_functions(unit);
  out = {range->low, range->high, {}, unit.die};
  auto f = std::upper_bound(unit.functions.begin(), unit.functions.end(), pc,
                            [](Dwarf_Addr a, const Function& b) { return a < b.low; });
  if (f != unit.functions.begin() && pc < (--f)->high) out = *f;
  return true;
}

std::string DwarfIndex::qualified_name(Dwarf_Die declaration) {
  Dwarf_Die unit;
  if (!dwarf_diecu(&declaration, &unit, nullptr, nullptr)) return {};
  std::vector<Dwarf_Die> path = path_to(unit, dwarf_dieoffset(&declaration));
  const char* own = dwarf_diename(&declaration);
  std::string name;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    if (dwarf_tag(&path[i]) == DW_TAG_subprogram) {
      // It may stand outside of its own scopes, with a reference to the declaration within them.
      if (std::string function = name_of(path[i], nullptr); !function.empty()) {
        name = function + "::";
        continue;
      }
    }
    if (const std::string scope = scope_name(path[i]); !scope.empty()) name += scope + "::";
  }
  if (own && std::strcmp(own, "operator()") == 0 && name.ends_with("lambda::")) {
    name.resize(name.size() - 2);
    return name;
  }
  return own ? name + own : std::string();
}

std::string DwarfIndex::name_of(Dwarf_Die& die, const char* symbol) {
  const char* linkage = string_of(die, DW_AT_linkage_name);
  if (!linkage) linkage = string_of(die, DW_AT_MIPS_linkage_name);
  if (!linkage && symbol && std::strncmp(symbol, "_Z", 2) == 0) linkage = symbol;
  if (linkage) return names::from_symbol(linkage);

  Dwarf_Die declaration = declaration_of(die);
  const auto known = names_.find(declaration.addr);
  if (known != names_.end()) return known->second;
  std::string name = qualified_name(declaration);
  if (name.empty()) {
    const char* own = string_of(die, DW_AT_name);
    name = own ? own : symbol ? symbol : "";
  }
  if (name.empty()) return {};
  name = names::from_source(name);
  names_.emplace(declaration.addr, name);
  return name;
}

}  // namespace weir::profiler
