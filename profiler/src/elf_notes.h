// The notes of an ELF segment: build ids, what a core file tells of its process, weir's own.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace weir::profiler {

// Calls f(owner, type, description, where the description is within `notes`) for each, until f
// returns true. Of untrusted bytes; `align`: of the segment.
template <class F>
void for_each_note(std::span<const std::byte> notes, size_t align, F f) {
  if (align != 8) align = 4;
  const auto rounded = [align](size_t n) { return (n + align - 1) & ~(align - 1); };
  for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= notes.size();) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data() + at, sizeof note);
    const size_t name = at + sizeof note;
    const size_t desc = rounded(name + note.n_namesz);
    const size_t end = desc + note.n_descsz;
    if (end > notes.size()) return;
    std::string_view owner(reinterpret_cast<const char*>(notes.data() + name), note.n_namesz);
    if (!owner.empty() && owner.back() == '\0') owner.remove_suffix(1);
    if (f(owner, note.n_type, notes.subspan(desc, note.n_descsz), desc)) return;
    at = rounded(end);
  }
}

}  // namespace weir::profiler
