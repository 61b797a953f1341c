#include "symbolize.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#include <charconv>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "dwarf_index.h"
#include "modules.h"
#include "names.h"

namespace weir::profiler {

namespace {

constexpr size_t kMaxCached = size_t{1} << 17;  // program counters; beyond, the cache starts anew
constexpr int kMaxInlined = 200;                // calls inlined into one another

std::string hex(uint64_t pc) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, pc, 16).ptr;
  return std::string("0x").append(digits, end);
}

// The inlined calls at `pc` below `parent`, outermost first.
void inlined_calls(Dwarf_Die parent, Dwarf_Addr pc, std::vector<Dwarf_Die>& calls) {
  for (int nesting = 0; nesting < kMaxInlined; ++nesting) {
    Dwarf_Die child;
    if (dwarf_child(&parent, &child) != 0) return;
    std::optional<Dwarf_Die> inside;
    do {
      const int tag = dwarf_tag(&child);
      const bool scope = tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
                         tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
      if (scope && dwarf_haspc(&child, pc) == 1) {
        inside = child;
        break;
      }
    } while (dwarf_siblingof(&child, &child) == 0);
    if (!inside) return;
    if (dwarf_tag(&*inside) == DW_TAG_inlined_subroutine) calls.push_back(*inside);
    parent = *inside;
  }
}

void set_place(Frame& frame, const char* file, int line) {
  if (file) frame.file = file;
  frame.line = line;
}

// The place of the instruction itself.
void line_at(Dwarf_Die& unit, Dwarf_Addr pc, Frame& frame) {
  Dwarf_Line* line = dwarf_getsrc_die(&unit, pc);
  int number = 0;
  if (!line || dwarf_lineno(line, &number) != 0) return;
  set_place(frame, dwarf_linesrc(line, nullptr, nullptr), number);
}

std::optional<Dwarf_Word> number_of(Dwarf_Die& die, unsigned attribute) {
  Dwarf_Attribute memory;
  Dwarf_Word value = 0;
  Dwarf_Attribute* found = dwarf_attr(&die, attribute, &memory);
  if (!found || dwarf_formudata(found, &value) != 0) return std::nullopt;
  return value;
}

// The place that an inlined call was written at.
void call_place(Dwarf_Die& unit, Dwarf_Die& call, Frame& frame) {
  const auto line = number_of(call, DW_AT_call_line);
  const auto file = number_of(call, DW_AT_call_file);
  Dwarf_Files* files = nullptr;
  size_t count = 0;
  const char* name = nullptr;
  if (file && dwarf_getsrcfiles(&unit, &files, &count) == 0 && *file < count) {
    name = dwarf_filesrc(files, *file, nullptr, nullptr);
  }
  set_place(frame, name, line ? static_cast<int>(*line) : 0);
}

}  // namespace

Frames Symbolizer::look_up(uint64_t pc) {
  const std::lock_guard lock(mutex_);
  if (const auto known = cache_.find(pc); known != cache_.end()) return known->second;
  auto frames = std::make_shared<const std::vector<Frame>>(resolve(pc));
  if (cache_.size() >= kMaxCached) cache_.clear();
  if (modules_.find(pc)) cache_.emplace(pc, frames);  // else an object may be loaded there later
  return frames;
}

void Symbolizer::refresh() {
  const std::lock_guard lock(mutex_);
  if (modules_.refresh()) {
    cache_.clear();
    indexes_.clear();
  }
}

std::vector<Frame> Symbolizer::resolve(uint64_t pc) {
  Dwfl_Module* module = modules_.find(pc);
  std::vector<Frame> frames;
  if (module) {
    GElf_Off offset = 0;
    GElf_Sym sym;
    const char* symbol = dwfl_module_addrinfo(module, pc, &offset, &sym, nullptr, nullptr, nullptr);
    frames = from_dwarf(module, pc, symbol);
    if (frames.empty() && symbol && *symbol) {
      frames.emplace_back();
      frames.back().function = names::from_symbol(symbol);
      frames.back().offset = offset;
    }
  }
  if (frames.empty()) {
    frames.emplace_back();
    frames.back().function = hex(pc);
  }
  for (Frame& f : frames) f.runtime = names::is_runtime(f.function);
  return frames;
}

DwarfIndex* Symbolizer::index_of(Dwfl_Module* module, Dwarf_Addr& bias) {
  Dwarf* dwarf = dwfl_module_getdwarf(module, &bias);
  if (!dwarf) return nullptr;
  std::unique_ptr<DwarfIndex>& index = indexes_[module];
  if (!index) index = std::make_unique<DwarfIndex>(dwarf);
  return index.get();
}

// Empty: the debug information does not know the function.
std::vector<Frame> Symbolizer::from_dwarf(Dwfl_Module* module, uint64_t pc, const char* symbol) {
  Dwarf_Addr bias = 0;
  DwarfIndex* index = index_of(module, bias);
  const Dwarf_Addr at = pc - bias;
  DwarfIndex::Function function;
  if (!index || !index->find(at, function)) return {};
  std::vector<Frame> frames;
  if (!function.die.addr) {  // assembly: lines, but no functions
    if (!symbol || !*symbol) return {};
    Frame& frame = frames.emplace_back();
    GElf_Off offset = 0;
    GElf_Sym sym;
    dwfl_module_addrinfo(module, pc, &offset, &sym, nullptr, nullptr, nullptr);
    frame.function = names::from_symbol(symbol);
    frame.offset = offset;
    line_at(function.unit, at, frame);
    return frames;
  }

  std::vector<Dwarf_Die> chain{function.die};
  inlined_calls(function.die, at, chain);
  for (size_t i = chain.size(); i-- > 0;) {
    Frame& frame = frames.emplace_back();
    frame.function = index->name_of(chain[i], i == 0 ? symbol : nullptr);
    if (frame.function.empty()) frame.function = hex(pc);
    frame.offset = at - function.low;
    if (i + 1 == chain.size()) {
      line_at(function.unit, at, frame);
    } else {
      call_place(function.unit, chain[i + 1], frame);
    }
  }
  return frames;
}

std::vector<Mapping> Symbolizer::mappings() {
  const std::lock_guard lock(mutex_);
  return modules_.mappings();
}

Symbolizer& own_symbolizer() {
  // Never destroyed: dumps are written while the process ends.
  static auto* s = new Symbolizer(*new Modules);
  return *s;
}

Frames symbolize(uint64_t pc) { return own_symbolizer().look_up(pc); }

void refresh_symbols() { own_symbolizer().refresh(); }

}  // namespace weir::profiler
