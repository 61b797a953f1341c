#include "list.h"

#include <algorithm>
#include <utility>

namespace weir::tools::top {

void List::show(std::vector<uint64_t> ids, const Details& details) {
  const bool at_top = cursor_ == 0;
  const bool at_end = is_page_ && !at_top && cursor_ + height_ >= lines_.size();
  const At was = cursor_ < lines_.size() ? lines_[cursor_] : At{};
  const uint64_t id = was.item < ids_.size() ? ids_[was.item] : 0;
  ids_ = std::move(ids);
  for (uint32_t i = 0; i < ids_.size(); ++i) {
    const auto it = expanded_.find(ids_[i]);
    if (it != expanded_.end()) it->second = details(i);
  }
  lay_out();
  if (at_end) {
    last();  // of a page that has grown, too
  } else if (!at_top) {
    const size_t offset = cursor_ - top_;
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (ids_[lines_[i].item] == id && lines_[i].detail <= was.detail) cursor_ = i;
    }
    top_ = cursor_ - std::min(cursor_, offset);
  }
  scroll();
}

void List::set_height(size_t lines) {
  height_ = std::max<size_t>(lines, 1);
  scroll();
}

void List::move(int64_t lines) {
  // The first line of a page may go as far as its last line is seen.
  const size_t beyond = is_page_ ? std::max(lines_.size(), height_) - height_ + 1 : lines_.size();
  const auto end = static_cast<int64_t>(beyond) - 1;
  cursor_ = static_cast<size_t>(
      std::max<int64_t>(std::min(static_cast<int64_t>(cursor_) + lines, end), 0));
  if (is_page_) top_ = cursor_;
  scroll();
}

void List::toggle(const Details& details) {
  if (cursor_ >= lines_.size()) return;
  const At at = lines_[cursor_];
  const uint64_t id = ids_[at.item];
  cursor_ -= at.detail;
  if (expanded_.erase(id) == 0) expanded_.emplace(id, details(at.item));
  lay_out();
  // What has come in sight by the key is seen, as far as there is room.
  if (const auto it = expanded_.find(id); it != expanded_.end()) {
    const size_t end = cursor_ + it->second.size() + 1;
    if (end > top_ + height_) top_ = std::min(end - height_, cursor_);
  }
  scroll();
}

void List::lay_out() {
  lines_.clear();
  for (uint32_t i = 0; i < ids_.size(); ++i) {
    lines_.push_back({i, 0});
    const auto it = expanded_.find(ids_[i]);
    if (it == expanded_.end()) continue;
    for (uint32_t d = 1; d <= it->second.size(); ++d) lines_.push_back({i, d});
  }
}

void List::scroll() {
  cursor_ = std::min(cursor_, lines_.empty() ? 0 : lines_.size() - 1);
  const size_t most = lines_.size() > height_ ? lines_.size() - height_ : 0;
  top_ = std::min({top_, cursor_, most});
  if (cursor_ >= top_ + height_) top_ = cursor_ + 1 - height_;
}

}  // namespace weir::tools::top
