// StackTable: distinct raw stacks of one capture, found by the hash that the walk computed.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "unwind.h"

namespace weir::profiler {

class StackTable {
 public:
  // The index of the stack; the same for equal stacks.
  uint32_t add(const RawStack& stack);

  size_t size() const { return stacks_.size(); }
  std::span<const uintptr_t> pcs(uint32_t index) const {
    return {pcs_.data() + stacks_[index].first, stacks_[index].depth};
  }
  bool truncated(uint32_t index) const { return stacks_[index].truncated; }

 private:
  struct Entry {
    size_t first;  // of its pcs in pcs_
    uint32_t depth;
    bool truncated;
    uint32_t next;  // another stack of the same hash; kNoStack: none
  };
  static constexpr uint32_t kNoStack = UINT32_MAX;

  bool equal(const Entry& e, const RawStack& stack) const;

  std::vector<uintptr_t> pcs_;
  std::vector<Entry> stacks_;
  std::unordered_map<uint64_t, uint32_t> by_hash_;
  uint32_t last_ = kNoStack;  // goroutines alike tend to follow each other
};

}  // namespace weir::profiler
