// Image: what is known of a process beside its memory, whoever tells it: a core file or /proc.
#pragma once

#include <weir/introspect.h>

#include <cstdint>
#include <string>
#include <vector>

namespace weir::profiler::post_mortem {

struct Thread {
  int tid = 0;
  introspect::Registers regs{};
};

// A part of a file that is mapped.
struct MappedFile {
  uint64_t start = 0, limit = 0, offset = 0;
  std::string path;
};

struct Image {
  int64_t pid = 0;
  std::string process;      // name of the program
  uint64_t program_at = 0;  // an address within the program's own module (AT_PHDR); 0: not known
  uint64_t vdso_at = 0;     // 0: none
  std::vector<Thread> threads;    // those that stand still
  std::vector<MappedFile> files;  // by address
};

}  // namespace weir::profiler::post_mortem
