// StackStore: distinct stacks in bounded memory, each with a number that stays its own. For what is
// recorded while the program runs, by many threads at once: where goroutines were created, where
// they were blocked, what used the processor.
//
// Memory is reserved at once and committed as it is filled; nothing is allocated afterwards and
// nothing is ever moved or taken out. A stack that is known is found without a lock (its words were
// written before its number was published); a new one is put in under a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

#include "unwind.h"

namespace weir::profiler {

class StackStore {
 public:
  // At most so many stacks, with so many program counters together. Throws std::bad_alloc.
  StackStore(uint32_t max_stacks, size_t max_pcs);
  ~StackStore();
  StackStore(const StackStore&) = delete;
  StackStore& operator=(const StackStore&) = delete;

  // The number of the stack, from 1; the same for equal ones. 0: there is no room for another. The
  // first `skip` program counters do not count.
  uint32_t intern(const RawStack& stack, uint32_t skip = 0) noexcept;

  uint32_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  // Of a number in [1, size()].
  std::span<const uintptr_t> pcs(uint32_t id) const noexcept {
    return {pcs_ + entries_[id].first, entries_[id].depth};
  }
  bool truncated(uint32_t id) const noexcept { return entries_[id].truncated; }

 private:
  struct Entry {
    uint64_t hash;
    size_t first;  // of its words in pcs_
    uint32_t depth;
    bool truncated;
  };

  bool equal(const Entry& e, uint64_t hash, std::span<const uintptr_t> pcs, bool truncated) const;
  uint32_t find(uint64_t hash, std::span<const uintptr_t> pcs, bool truncated,
                std::atomic<uint32_t>** free) const noexcept;

  const uint32_t max_stacks_;
  const size_t max_pcs_;
  uint32_t mask_;
  size_t bytes_;
  // One mapping.
  std::atomic<uint32_t>* index_;  // mask_ + 1 numbers, by hash; 0: free
  Entry* entries_;                // by number; [0] is not used
  uintptr_t* pcs_;

  std::mutex writer_;  // protects used_pcs_, and what is beyond size_
  size_t used_pcs_ = 0;
  std::atomic<uint32_t> size_{0};
};

}  // namespace weir::profiler
