#include "stack_table.h"

#include <algorithm>

namespace weir::profiler {

bool StackTable::equal(const Entry& e, const RawStack& stack) const {
  return e.depth == stack.depth && e.truncated == stack.truncated &&
         std::equal(stack.pcs, stack.pcs + stack.depth, pcs_.data() + e.first);
}

uint32_t StackTable::add(const RawStack& stack) {
  if (last_ != kNoStack && equal(stacks_[last_], stack)) return last_;
  const auto alike = by_hash_.find(stack.hash);
  const uint32_t first = alike == by_hash_.end() ? kNoStack : alike->second;
  for (uint32_t i = first; i != kNoStack; i = stacks_[i].next) {
    if (equal(stacks_[i], stack)) return last_ = i;
  }
  const bool full = stacks_.size() >= max_stacks_ || pcs_.size() + stack.depth > max_pcs_;
  if (full && &stack != cut_.get()) {
    if (!cut_) cut_ = std::make_unique<RawStack>();
    cut_->depth = stacks_.size() >= max_stacks_ ? 0 : std::min(stack.depth, kCut);
    cut_->truncated = true;
    std::copy_n(stack.pcs, cut_->depth, cut_->pcs);
    rehash(*cut_);
    return add(*cut_);
  }
  const auto index = static_cast<uint32_t>(stacks_.size());
  by_hash_[stack.hash] = index;
  stacks_.push_back({pcs_.size(), stack.depth, stack.truncated, first});
  pcs_.insert(pcs_.end(), stack.pcs, stack.pcs + stack.depth);
  return last_ = index;
}

}  // namespace weir::profiler
