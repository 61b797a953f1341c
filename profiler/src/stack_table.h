// StackTable: distinct raw stacks of one capture, found by the hash that the walk computed.
// Bounded: once kMaxPcs are stored (128 MiB), further stacks are cut to their first kCut frames,
// and once there are kMaxStacks, there is one more that stands for all others and has no frames;
// both are marked truncated.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "unwind.h"

namespace weir::profiler {

class StackTable {
 public:
  // The index of the stack; the same for equal stacks.
  uint32_t add(const RawStack& stack);

  static constexpr size_t kMaxPcs = size_t{16} << 20, kMaxStacks = size_t{2} << 20;
  static constexpr uint32_t kCut = 8;
  StackTable() = default;
  StackTable(size_t max_pcs, size_t max_stacks) : max_pcs_(max_pcs), max_stacks_(max_stacks) {}

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

  const size_t max_pcs_ = kMaxPcs, max_stacks_ = kMaxStacks;

  std::vector<uintptr_t> pcs_;
  std::vector<Entry> stacks_;
  std::unordered_map<uint64_t, uint32_t> by_hash_;
  std::unique_ptr<RawStack> cut_;
  uint32_t last_ = kNoStack;  // goroutines alike tend to follow each other
};

}  // namespace weir::profiler
