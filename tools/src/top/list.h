// A list with a cursor: items, some of them expanded into details, scrolled so that the cursor is
// seen. The cursor stays on its item wherever that moves when the list changes; at the top it stays
// at the top, where what matters most comes in.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "line.h"

namespace weir::tools::top {

class List {
 public:
  // The item itself where detail is 0, else its (detail - 1)th line of details.
  struct At {
    uint32_t item = 0, detail = 0;
  };
  using Details = std::function<std::vector<Line>(uint32_t item)>;

  // Each id once. Details are asked for of what is expanded.
  void show(std::vector<uint64_t> ids, const Details& details);
  void set_height(size_t lines);
  // A text without a cursor: keys scroll it.
  void be_a_page() { is_page_ = true; }

  void move(int64_t lines);
  void page(int64_t pages) { move(pages * static_cast<int64_t>(height_ > 1 ? height_ - 1 : 1)); }
  void first() { move(-static_cast<int64_t>(lines_.size())); }
  void last() { move(static_cast<int64_t>(lines_.size())); }
  // Expands or collapses the item under the cursor.
  void toggle(const Details& details);

  size_t size() const { return ids_.size(); }
  const std::vector<At>& lines() const { return lines_; }
  size_t cursor() const { return cursor_; }
  size_t top() const { return top_; }
  bool is_expanded(uint32_t item) const { return expanded_.contains(ids_[item]); }
  const Line& detail(At at) const { return expanded_.at(ids_[at.item])[at.detail - 1]; }

 private:
  void lay_out();
  void scroll();

  std::vector<uint64_t> ids_;
  std::unordered_map<uint64_t, std::vector<Line>> expanded_;  // by id; kept while the item is away
  std::vector<At> lines_;
  size_t cursor_ = 0, top_ = 0, height_ = 1;
  bool is_page_ = false;
};

}  // namespace weir::tools::top
