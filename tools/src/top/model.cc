#include "model.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "details.h"
#include "layout.h"
#include "matches.h"
#include "scheduler.h"

namespace weir::tools::top {

namespace {

constexpr int64_t kMessageNs = 4'000'000'000;
constexpr size_t kMaxFilter = 200;  // bytes

// Without its last character.
void drop_last(std::string& text) {
  while (!text.empty() && (static_cast<uint8_t>(text.back()) & 0xc0) == 0x80) text.pop_back();
  if (!text.empty()) text.pop_back();
}

double growth_of(const Item& item) { return item.row->per_minute.value_or(-1e300); }

uint64_t id_of(const profiler::Finding& f, size_t number) {
  // Several findings may be about one site, each in its way.
  const uint64_t id = f.site * 31 + static_cast<uint64_t>(f.kind) + 1;
  return f.site == 0 ? number + 1 : id;
}

}  // namespace

Model::Model(std::string target, Charset charset, Size size)
    : target_(std::move(target)), charset_(charset) {
  lists_[static_cast<size_t>(View::scheduler)].be_a_page();
  resize(size);
}

void Model::resize(Size size) {
  size_ = size;
  for (size_t v = 0; v < kViews; ++v) {
    lists_[v].set_height(body_lines(static_cast<View>(v), size));
  }
  show_lists();  // details are as wide as the screen
}

void Model::take(std::shared_ptr<const Sample> sample, int64_t now_ns) {
  if (!sample || sample == newest_) return;
  newest_ = std::move(sample);
  if (newest_->restarted) tell("the process was started anew", now_ns);
  if (frozen_ && shown_) return;
  shown_ = newest_;
  rebuild();
}

void Model::set_filter(const std::string& filter) {
  if (filter == filter_) return;
  filter_ = filter;
  rebuild();
}

void Model::rebuild() {
  items_.clear();
  findings_.clear();
  rows_in_all_ = 0;
  if (shown_) {
    gather_items();
    findings_ = matching_findings(shown_->findings, filter_);
    sort_items();
  }
  show_lists();
}

void Model::gather_items() {
  const auto sites = matching_sites(*shown_, filter_);
  std::unordered_map<uint64_t, uint64_t> before;
  if (since_mark_ && mark_) {
    for (const Row& row : mark_->rows) before.emplace(row.site, row.count);
  }
  for (const Row& row : shown_->rows) {
    Item item{&row, shown_.get(), row.count, 0};
    if (since_mark_) {
      const auto was = before.find(row.site);
      const uint64_t count = was == before.end() ? 0 : was->second;
      if (was != before.end()) before.erase(was);
      item.change = static_cast<int64_t>(row.count - count);
      if (item.change == 0) continue;
    }
    ++rows_in_all_;
    if (sites.contains(row.site)) items_.push_back(item);
  }
  if (!since_mark_ || !mark_ || before.empty()) return;
  // Those that are gone.
  const auto marked = matching_sites(*mark_, filter_);
  for (const Row& row : mark_->rows) {
    if (!before.contains(row.site)) continue;
    ++rows_in_all_;
    if (!marked.contains(row.site)) continue;
    items_.push_back({&row, mark_.get(), 0, -static_cast<int64_t>(row.count)});
  }
}

void Model::sort_items() {
  const Column order = view_ == View::growth ? Column::growth : order_;
  const auto before = [this, order](const Item& a, const Item& b) {
    switch (order) {
      case Column::count:
        break;
      case Column::growth:
        if (since_mark_) {
          if (a.change != b.change) return a.change > b.change;
        } else if (growth_of(a) != growth_of(b)) {
          return growth_of(a) > growth_of(b);
        }
        break;
      case Column::oldest:
        if (a.row->oldest_ns != b.row->oldest_ns) return a.row->oldest_ns > b.row->oldest_ns;
        break;
      case Column::wait:
        if (a.row->wait != b.row->wait) return a.row->wait < b.row->wait;
        break;
      case Column::blocked_at:
        if (a.row->blocked_at.function != b.row->blocked_at.function) {
          return a.row->blocked_at.function < b.row->blocked_at.function;
        }
        break;
      case Column::created_by: {
        const auto creator = [](const Item& i) -> const std::string& {
          return i.row->created_by.function.empty() ? i.row->entry : i.row->created_by.function;
        };
        if (creator(a) != creator(b)) return creator(a) < creator(b);
        break;
      }
    }
    return a.count != b.count ? a.count > b.count : a.row->site < b.row->site;
  };
  std::ranges::sort(items_, before);
  if (reversed_ && view_ != View::growth) std::ranges::reverse(items_);
}

List::Details Model::details() const {
  if (view_ == View::findings) {
    return [this](uint32_t i) {
      return finding_details(shown_->findings.findings[findings_[i]], size_.columns, charset_);
    };
  }
  return [this](uint32_t i) {
    return row_details(*items_[i].sample, *items_[i].row, size_.columns, charset_);
  };
}

void Model::show_lists() {
  std::vector<uint64_t> ids;
  switch (view_) {
    case View::groups:
    case View::growth:
      for (const Item& item : items_) ids.push_back(item.row->site);
      break;
    case View::findings:
      for (const uint32_t i : findings_) ids.push_back(id_of(shown_->findings.findings[i], i));
      break;
    case View::scheduler:
      scheduler_.clear();
      if (shown_) scheduler_ = scheduler_lines(*shown_, size_.columns, charset_);
      for (size_t i = 0; i < scheduler_.size(); ++i) ids.push_back(i);
      break;
  }
  own_list().show(std::move(ids), details());
}

void Model::tell(std::string text, int64_t now_ns) {
  message_ = std::move(text);
  message_until_ns_ = now_ns + kMessageNs;
}

void Model::turn_to(View view) {
  view_ = view;
  if (shown_) sort_items();
  show_lists();
}

void Model::set_mark(int64_t now_ns) {
  if (!shown_) return tell("nothing to mark yet", now_ns);
  mark_ = shown_;
  tell("marked: d shows what has changed since", now_ns);
  if (since_mark_) rebuild();
}

void Model::toggle_since_mark(int64_t now_ns) {
  if (!mark_) return tell("no mark yet: m sets it", now_ns);
  since_mark_ = !since_mark_;
  order_ = since_mark_ ? Column::growth : Column::count;
  reversed_ = false;
  if (view_ != View::growth) view_ = View::groups;
  rebuild();
}

void Model::reorder(char key) {
  const size_t step = key == 's' ? 1 : kColumns - 1;
  if (key == 'r') {
    reversed_ = !reversed_;
  } else {
    order_ = static_cast<Column>((static_cast<size_t>(order_) + step) % kColumns);
    reversed_ = false;
  }
  own_list().first();  // of the new order
  turn_to(view_);
}

Model::Answer Model::press_in_prompt(const Key& key) {
  switch (key.code) {
    case Key::Code::text:
      if (prompt_->size() + key.text.size() <= kMaxFilter) prompt_->append(key.text);
      break;
    case Key::Code::backspace:
      drop_last(*prompt_);
      break;
    case Key::Code::clear_line:
      prompt_->clear();
      break;
    case Key::Code::enter:
      prompt_.reset();
      return Answer::nothing;
    case Key::Code::escape:
      prompt_.reset();
      set_filter(filter_before_);
      return Answer::nothing;
    default:
      return Answer::nothing;
  }
  set_filter(*prompt_);
  return Answer::nothing;
}

Model::Answer Model::command(char key, int64_t now_ns) {
  switch (key) {
    case 'q':
      return Answer::quit;
    case '?':
    case 'h':
      help_ = true;
      break;
    case '1':
    case '2':
    case '3':
    case '4':
      turn_to(static_cast<View>(key - '1'));
      break;
    case 'j':
      own_list().move(1);
      break;
    case 'k':
      own_list().move(-1);
      break;
    case 'g':
      own_list().first();
      break;
    case 'G':
      own_list().last();
      break;
    case ' ':
      if (view_ != View::scheduler) own_list().toggle(details());
      break;
    case 's':
    case 'S':
    case 'r':
      if (view_ != View::groups) {
        tell("the groups can be sorted: 1 shows them", now_ns);
        break;
      }
      reorder(key);
      break;
    case '/':
      prompt_ = filter_;
      filter_before_ = filter_;
      break;
    case 'f':
      frozen_ = !frozen_;
      if (!frozen_ && newest_ != shown_) {
        shown_ = newest_;
        rebuild();
      }
      break;
    case 'm':
      set_mark(now_ns);
      break;
    case 'd':
      toggle_since_mark(now_ns);
      break;
    case 'R':
      return Answer::ask_now;
    default:
      tell("? shows the keys", now_ns);
  }
  return Answer::nothing;
}

Model::Answer Model::press(const Key& key, int64_t now_ns) {
  message_until_ns_ = 0;
  if (key.code == Key::Code::redraw) return Answer::redraw;
  if (prompt_) return press_in_prompt(key);
  if (help_) {  // any key closes it
    help_ = false;
    return Answer::nothing;
  }
  switch (key.code) {
    case Key::Code::text:
      return command(key.text.size() == 1 ? key.text.front() : '\0', now_ns);
    case Key::Code::enter:
      return command(' ', now_ns);
    case Key::Code::escape:
      set_filter("");
      break;
    case Key::Code::tab:
      turn_to(static_cast<View>((static_cast<size_t>(view_) + 1) % kViews));
      break;
    case Key::Code::back_tab:
      turn_to(static_cast<View>((static_cast<size_t>(view_) + kViews - 1) % kViews));
      break;
    case Key::Code::up:
      own_list().move(-1);
      break;
    case Key::Code::down:
      own_list().move(1);
      break;
    case Key::Code::page_up:
      own_list().page(-1);
      break;
    case Key::Code::page_down:
      own_list().page(1);
      break;
    case Key::Code::home:
      own_list().first();
      break;
    case Key::Code::end:
      own_list().last();
      break;
    default:
      break;
  }
  return Answer::nothing;
}

}  // namespace weir::tools::top
