// Slots: where the goroutines of another process are (stack_chunk.h of the runtime), as of one
// moment. Slots never move, so one that lives throughout is in its slot.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "memory.h"
#include "offsets.h"

namespace weir::profiler::post_mortem {

class Slots {
 public:
  Slots(const RuntimeLayout& layout, Memory& memory);

  size_t count() const { return chunks_.size() * per_chunk_; }
  // The address of the G in a slot; 0: nobody is there.
  uint64_t g(size_t slot) const;
  // The address of the G in the slot that has this address on its stack, or on the guard page below
  // it; 0: there is none.
  uint64_t g_by_stack(uint64_t address) const;
  // Not all of the table could be read.
  bool incomplete() const { return incomplete_; }

 private:
  struct Chunk {
    uint64_t base, stride;
    bool of_threads;
    uint32_t used;
    std::vector<uint64_t> cold;  // bits
  };
  std::vector<Chunk> chunks_;
  struct Range {
    uint64_t start, limit;
    size_t chunk;
  };
  std::vector<Range> ranges_;  // of chunks of stacks, sorted
  size_t per_chunk_ = 0, g_size_ = 0, spread_bytes_ = 0, spreads_ = 1;
  bool incomplete_ = false;
};

}  // namespace weir::profiler::post_mortem
