#include "elf_files.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "elf_notes.h"

namespace weir::profiler {

std::string build_id_in(std::span<const std::byte> notes, size_t align) {
  std::string id;
  for_each_note(
      notes, align,
      [&id](std::string_view owner, uint32_t type, std::span<const std::byte> desc, size_t) {
        if (owner != "GNU" || type != NT_GNU_BUILD_ID) return false;
        id.assign(reinterpret_cast<const char*>(desc.data()), desc.size());
        return true;
      });
  return id;
}

std::string build_id_of(Elf* elf) {
  const void* id = nullptr;
  const ssize_t n = dwelf_elf_gnu_build_id(elf, &id);
  return n > 0 ? std::string(static_cast<const char*>(id), static_cast<size_t>(n)) : std::string();
}

int open_elf(const std::string& path, std::string_view build_id, char** file_name, Elf** elf) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  Elf* opened = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, nullptr);
  if (!opened || build_id_of(opened) != build_id) {
    elf_end(opened);
    close(fd);
    return -1;
  }
  *elf = opened;
  *file_name = strdup(path.c_str());
  return fd;
}

Elf* vdso_image(char* image, size_t limit) {
  ElfW(Ehdr) header;
  if (limit < sizeof header) return nullptr;
  std::memcpy(&header, image, sizeof header);
  if (header.e_shoff > limit) return nullptr;
  const size_t bytes = header.e_shoff + size_t{header.e_shnum} * header.e_shentsize;
  if (bytes < sizeof header || bytes > limit) return nullptr;
  return elf_memory(image, bytes);
}

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex.push_back("0123456789abcdef"[static_cast<unsigned char>(c) >> 4]);
    hex.push_back("0123456789abcdef"[static_cast<unsigned char>(c) & 15]);
  }
  return hex;
}

}  // namespace weir::profiler
