// Model: what is looked at, and how: the sample that is shown, the view, order, filter, mark, and
// where the cursors are. Keys change it; the view (view.h) is a function of it. It knows neither
// the terminal nor a clock: who calls tells the time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "feed.h"
#include "key.h"
#include "layout.h"
#include "list.h"
#include "sample.h"

namespace weir::tools::top {

enum class Column : uint8_t { count, growth, oldest, wait, blocked_at, created_by };
inline constexpr size_t kColumns = 6;

// One line of the groups.
struct Item {
  const Row* row = nullptr;
  const Sample* sample = nullptr;  // whose row: the mark's, of goroutines that are gone
  uint64_t count = 0;              // now
  int64_t change = 0;              // since the mark
};

class Model {
 public:
  Model(std::string target, Charset charset, Size size);

  // What the caller has to do after a key.
  enum class Answer : uint8_t { nothing, quit, ask_now, redraw };
  Answer press(const Key& key, int64_t now_ns);
  void take(std::shared_ptr<const Sample> sample, int64_t now_ns);
  void take(const FeedStatus& status) { status_ = status; }
  void resize(Size size);

  // As by keys, for who starts with them.
  void set_view(View view) { turn_to(view); }
  void set_filter(const std::string& filter);

  const std::string& target() const { return target_; }
  Charset charset() const { return charset_; }
  Size size() const { return size_; }
  const Sample* shown() const { return shown_.get(); }
  const FeedStatus& status() const { return status_; }
  View view() const { return view_; }
  bool has_help() const { return help_; }
  bool is_frozen() const { return frozen_; }
  const Sample* mark() const { return mark_.get(); }
  bool is_since_mark() const { return since_mark_; }
  Column order() const { return order_; }
  bool is_reversed() const { return reversed_; }
  // What is typed now, if anything is.
  const std::optional<std::string>& prompt() const { return prompt_; }
  const std::string& filter() const { return filter_; }
  // Tells what a key has done; empty: nothing to tell.
  std::string message(int64_t now_ns) const { return now_ns < message_until_ns_ ? message_ : ""; }
  // Of the groups and the growth.
  const std::vector<Item>& items() const { return items_; }
  // Indexes into the shown sample's findings.
  const std::vector<uint32_t>& findings() const { return findings_; }
  const std::vector<Line>& scheduler() const { return scheduler_; }
  size_t rows_in_all() const { return rows_in_all_; }  // that would be shown without a filter
  const List& list() const { return lists_[static_cast<size_t>(view_)]; }

 private:
  List& own_list() { return lists_[static_cast<size_t>(view_)]; }
  List::Details details() const;
  void rebuild();
  void gather_items();
  void sort_items();
  void show_lists();
  void tell(std::string text, int64_t now_ns);
  Answer press_in_prompt(const Key& key);
  Answer command(char key, int64_t now_ns);
  void turn_to(View view);
  void reorder(char key);
  void set_mark(int64_t now_ns);
  void toggle_since_mark(int64_t now_ns);

  const std::string target_;
  const Charset charset_;
  Size size_;
  std::shared_ptr<const Sample> newest_, shown_, mark_;
  FeedStatus status_;
  View view_ = View::groups;
  Column order_ = Column::count;
  bool reversed_ = false, frozen_ = false, help_ = false, since_mark_ = false;
  std::optional<std::string> prompt_;
  std::string filter_, filter_before_;  // filter_before_: to be had back by Escape
  std::string message_;
  int64_t message_until_ns_ = 0;
  std::vector<Item> items_;
  std::vector<uint32_t> findings_;
  std::vector<Line> scheduler_;
  size_t rows_in_all_ = 0;
  std::array<List, kViews> lists_;
};

}  // namespace weir::tools::top
