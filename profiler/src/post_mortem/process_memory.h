// ProcessMemory: of a process that runs, by process_vm_readv: no stop, no descriptor.
#pragma once

#include <sys/types.h>

#include "memory.h"

namespace weir::profiler::post_mortem {

class ProcessMemory final : public Memory {
 public:
  explicit ProcessMemory(pid_t pid) : pid_(pid) {}

  using Memory::read;
  void read(std::span<Read> reads) override;

 private:
  const pid_t pid_;
};

}  // namespace weir::profiler::post_mortem
