#include "stack_table.h"

#include <algorithm>

namespace weir::profiler {

bool StackTable::equal(const Entry& e, const RawStack& stack) const {
  return e.depth == stack.depth && e.truncated == stack.truncated &&
         std::equal(stack.pcs, stack.pcs + stack.depth, pcs_.data() + e.first);
}

uint32_t StackTable::add(const RawStack& stack) {
  if (last_ != kNoStack && equal(stacks_[last_], stack)) return last_;
  const auto index = static_cast<uint32_t>(stacks_.size());
  const auto [found, is_new] = by_hash_.try_emplace(stack.hash, index);
  uint32_t next = kNoStack;
  if (!is_new) {
    for (uint32_t i = found->second; i != kNoStack; i = stacks_[i].next) {
      if (equal(stacks_[i], stack)) return last_ = i;
    }
    next = found->second;
    found->second = index;
  }
  stacks_.push_back({pcs_.size(), stack.depth, stack.truncated, next});
  pcs_.insert(pcs_.end(), stack.pcs, stack.pcs + stack.depth);
  return last_ = index;
}

}  // namespace weir::profiler
