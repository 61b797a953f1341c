// All contexts of another process that can be cancelled (context_registry.cc of the runtime).
#pragma once

#include <weir/introspect.h>

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "memory.h"
#include "runtime_layout.h"

namespace weir::profiler::post_mortem {

class Contexts {
 public:
  Contexts(const RuntimeLayout& layout, Memory& memory);

  // Walks the lists. Where the process runs, one that changes under the walk is walked anew, a few
  // times; false: some would not stand still, and are to be walked when the process is stopped.
  // Each context is met once however often this is called.
  bool walk(bool still);

  // What was met; ages in ticks of the process's clock, in age_ns: when it was made.
  const std::vector<introspect::Context>& all() const { return met_; }

 private:
  bool walk_list(uint64_t head, bool still);
  bool read_context(uint64_t at, introspect::Context& c, bool& dead);

  const RuntimeLayout& l_;
  Memory& memory_;
  std::vector<uint64_t> todo_;  // the lists' heads
  std::vector<introspect::Context> met_;
  std::unordered_set<uint64_t> known_;  // their addresses
  std::vector<std::byte> buffer_;
  const size_t ring_next_, self_, registered_;
};

}  // namespace weir::profiler::post_mortem
