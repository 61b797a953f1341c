// What all sets of modules do with ELF files.
#pragma once

#include <libelf.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace weir::profiler {

// The build id among these notes, as raw bytes; empty: none.
std::string build_id_in(std::span<const std::byte> notes, size_t align);

// Of an open ELF file.
std::string build_id_of(Elf* elf);

// Opens the file if its build id is this one; for Dwfl_Callbacks::find_elf: the descriptor, or -1.
int open_elf(const std::string& path, std::string_view build_id, char** file_name, Elf** elf);

// The kernel's own shared object, which is complete in memory, at `image`; null: it is damaged.
Elf* vdso_image(char* image, size_t limit);

std::string to_hex(std::string_view bytes);

}  // namespace weir::profiler
