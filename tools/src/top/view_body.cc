// The lines below the head: groups, those that grow, findings, the scheduler.
#include <algorithm>
#include <string>

#include "view.h"

namespace weir::tools::top {

namespace {

using profiler::Frame;

// Columns of the tables. On narrow screens names take what numbers leave.
constexpr size_t kMarks = 2, kCount = 9, kGrowth = 10, kOldest = 7, kSpark = 20, kSure = 8;
constexpr size_t kTiny = 50, kNarrow = 60, kWide = 100;  // of the screen

struct Widths {
  size_t oldest = 0, spark = 0, wait = 0, blocked_at = 0, created_by = 0;  // 0: not shown
};

// Of what the other columns leave.
void share_names(size_t left, bool has_creator, Widths& w) {
  if (!has_creator || left < 24) {
    w.blocked_at = left;
    return;
  }
  w.created_by = left * 2 / 5;
  w.blocked_at = left - w.created_by - 1;
}

Widths widths(const Model& m) {
  const size_t columns = m.size().columns;
  Widths w;
  size_t taken = kMarks + kCount + 1 + kGrowth + 2;
  switch (m.view()) {
    case View::growth:
      w.spark = columns < kTiny ? 0 : columns < kNarrow ? kSpark / 2 : kSpark;
      taken += w.spark > 0 ? w.spark + 2 : 0;
      break;
    case View::findings:
      w.wait = columns < kNarrow ? 12 : columns < kWide ? 16 : 22;
      taken = kMarks + kSure + w.wait + 1 + kCount + 2 + kGrowth + 1 + kOldest + 2;
      break;
    default:
      w.oldest = columns < kTiny ? 0 : kOldest;
      w.wait = columns < kNarrow ? 0 : columns < kWide ? 16 : 24;
      taken += (w.oldest > 0 ? 1 + w.oldest : 0) + (w.wait > 0 ? 1 + w.wait : 0);
  }
  const bool has_creator = m.view() == View::findings ? columns >= kWide : columns >= 70;
  share_names(columns > taken + 1 ? columns - taken - 1 : 0, has_creator, w);
  return w;
}

// "zoo::double_send  patterns.cc:41", the place where there is room for it.
void name(LineWriter& line, const Frame& f, const std::string& instead, size_t columns,
          bool is_cell) {
  if (columns == 0) return;
  const size_t begin = line.room();
  const bool known = !f.function.empty();
  const std::string text = clean(short_name(known ? f.function : instead, columns), line.charset());
  const std::string place = clean(short_place(f.file, f.line), line.charset());
  if (known && !place.empty() && width(text) + 1 + width(place) <= columns) {
    line.add(text).gap().add(place, Style::dim);
  } else {
    line.add(cut(text, columns, line.charset()), known ? Style::plain : Style::dim);
  }
  const size_t used = begin - line.room();
  if (is_cell && used < columns) line.gap(columns - used);
}

// Go's words, and where there is no room for them what they say first.
std::string wait_text(const std::string& wait, size_t columns) {
  if (wait.size() <= columns) return wait;
  if (wait == "chan receive (nil chan)") return "nil chan receive";
  if (wait == "chan send (nil chan)") return "nil chan send";
  if (wait == "select (no cases)") return "select no cases";
  return wait.starts_with("sync.") ? wait.substr(5) : wait;
}

// '!': a leak, by a finding; then whether it is expanded.
void marks(LineWriter& line, std::optional<profiler::Certainty> leak, bool is_expanded) {
  const bool sure = leak && *leak != profiler::Certainty::suspect;
  line.add(!leak ? " " : sure ? "!" : "?", sure ? Style::bad : Style::warning);
  line.add(!is_expanded ? " " : line.charset() == Charset::utf8 ? "▾" : "v", Style::accent);
}

void growth_cell(LineWriter& line, const Model& m, const Item& item) {
  if (m.is_since_mark()) {
    line.right(change_text(item.change), kGrowth, item.change > 0 ? Style::bad : Style::good);
  } else if (!item.row->per_minute) {
    line.right("-", kGrowth, Style::dim);
  } else {
    const double rate = *item.row->per_minute;
    line.right(rate_text(rate), kGrowth, rate >= 0.05 ? Style::warning : Style::dim);
  }
}

Line item_line(const Model& m, const Item& item, bool is_expanded, const Widths& w) {
  LineWriter line(m.size().columns, m.charset());
  const Row& row = *item.row;
  marks(line, row.leak, is_expanded);
  line.right(count_text(item.count), kCount, Style::strong).gap();
  growth_cell(line, m, item);
  if (m.view() == View::growth) {
    line.gap(2).left(sparkline(row.recent, w.spark, m.charset()), w.spark, Style::accent);
    line.gap(w.spark > 0 ? 2 : 0);
  } else {
    if (w.oldest > 0) {
      line.gap().right(row.oldest_ns < 0 ? "-" : duration_text(row.oldest_ns), w.oldest);
    }
    line.gap(w.wait > 0 ? 2 : 1).left(wait_text(row.wait, w.wait), w.wait).gap();
  }
  name(line, row.blocked_at, "", w.blocked_at, true);
  if (w.created_by > 0) {
    line.gap();
    name(line, row.created_by, row.entry, w.created_by, false);
  }
  return line.take();
}

Style style_of(profiler::Certainty c) {
  return c == profiler::Certainty::certain  ? Style::bad
         : c == profiler::Certainty::likely ? Style::warning
                                            : Style::plain;
}

Line finding_line(const Model& m, const profiler::Finding& f, bool is_expanded, const Widths& w) {
  LineWriter line(m.size().columns, m.charset());
  marks(line, f.certainty, is_expanded);
  line.left(profiler::to_string(f.certainty), kSure, style_of(f.certainty));
  std::string kind(profiler::to_string(f.kind));
  std::ranges::replace(kind, '_', ' ');
  line.left(kind, w.wait).gap();
  line.right(count_text(f.count), kCount + 1, Style::strong).gap();
  const bool grows = std::abs(f.growth_per_minute) >= 0.05;
  line.right(grows ? rate_text(f.growth_per_minute) : "-", kGrowth,
             grows ? Style::warning : Style::dim);
  line.gap().right(f.oldest_wait_ns < 0 ? "-" : duration_text(f.oldest_wait_ns), kOldest).gap(2);
  name(line, f.blocked_at, "", w.blocked_at, true);
  if (w.created_by > 0) {
    line.gap();
    name(line, f.created_by, "", w.created_by, false);
  }
  return line.take();
}

// Why a list is empty.
std::string emptiness(const Model& m) {
  if (!m.filter().empty()) return "nothing has /" + m.filter() + "/ in it; Esc clears the filter";
  if (m.view() == View::findings) {
    return m.shown()->findings_missing.empty() ? "no leaks found"
                                               : "no findings: " + m.shown()->findings_missing;
  }
  return m.is_since_mark() ? "nothing has changed since the mark" : "no goroutines";
}

// What a reader should know of how the numbers came about.
std::vector<std::string> notes(const Model& m) {
  std::vector<std::string> all = m.shown()->notes;
  if (m.view() == View::findings) {
    const std::vector<std::string>& more = m.shown()->findings.notes;
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace

Line headings(const Model& m) {
  LineWriter line(m.size().columns, m.charset());
  const Widths w = widths(m);
  // The heading of the column that the order goes by has a sign of the direction.
  const auto heading = [&m](Column column, std::string text) {
    const Column by = m.view() == View::growth ? Column::growth : m.order();
    if (m.view() == View::findings || column != by) return text;
    const bool is_utf8 = m.charset() == Charset::utf8;
    // Numbers begin with the largest, names with the first.
    const bool goes_up = (by >= Column::wait) != (m.is_reversed() && m.view() == View::groups);
    return text + (goes_up ? (is_utf8 ? "▲" : "^") : (is_utf8 ? "▼" : "v"));
  };
  const std::string growth = m.is_since_mark() ? "CHANGE" : "GROWTH";
  switch (m.view()) {
    case View::groups:
      line.right(heading(Column::count, "GOROUTINES"), kMarks + kCount, Style::heading).gap();
      line.right(heading(Column::growth, growth), kGrowth, Style::heading).gap();
      if (w.oldest > 0)
        line.right(heading(Column::oldest, "OLDEST"), w.oldest, Style::heading).gap();
      line.gap();
      if (w.wait > 0) line.left(heading(Column::wait, "REASON"), w.wait, Style::heading).gap();
      break;
    case View::growth:
      line.right("GOROUTINES", kMarks + kCount, Style::heading).gap();
      line.right(heading(Column::growth, growth), kGrowth, Style::heading).gap(2);
      if (w.spark > 0) line.left("LAST MINUTE", w.spark, Style::heading).gap(2);
      break;
    case View::findings:
      line.gap(kMarks).left("SURE", kSure, Style::heading);
      line.left("KIND", w.wait, Style::heading).gap();
      line.right("GOROUTINES", kCount + 1, Style::heading).gap();
      line.right("GROWTH", kGrowth, Style::heading).gap();
      line.right("OLDEST", kOldest, Style::heading).gap(2);
      break;
    case View::scheduler:
      return line.take();
  }
  line.left(heading(Column::blocked_at, "STUCK AT"), w.blocked_at, Style::heading);
  if (w.created_by > 0) {
    line.gap().left(heading(Column::created_by, "CREATED BY"), w.created_by, Style::heading);
  }
  return line.take();
}

// All goroutines over the window, the newest at the right, from the least of them to the most.
void draw_curve(const Model& m, std::vector<Line>& to) {
  const size_t lines = curve_lines(m.view(), m.size());
  if (lines == 0) return;
  const Sample& s = *m.shown();
  constexpr size_t kAxis = 10, kLevels = 8;
  static constexpr const char* kParts[kLevels] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const size_t room = m.size().columns - std::min(m.size().columns, kAxis + 3);
  const size_t n = std::min(s.recent.size(), room);
  const std::vector<uint32_t> points(s.recent.end() - static_cast<ptrdiff_t>(n), s.recent.end());
  const uint32_t most = n == 0 ? 0 : std::ranges::max(points);
  const uint32_t least = n == 0 ? 0 : std::ranges::min(points);
  const size_t wide = n == 0 ? 1 : std::max<size_t>(room / std::max<size_t>(n, 1), 1);
  const size_t height = lines - 1;
  for (size_t i = 0; i < height; ++i) {
    LineWriter line(m.size().columns, m.charset());
    line.right(i == 0            ? count_text(most)
               : i + 1 == height ? count_text(least)
                                 : "",
               kAxis, Style::dim);
    line.gap(2);
    const size_t below = (height - 1 - i) * kLevels;  // eighths of lines
    std::string bars;
    for (const uint32_t count : points) {
      const uint64_t eighths = height * kLevels - 1;
      const size_t level = 1 + (most == least ? 0 : (count - least) * eighths / (most - least));
      const size_t part = level <= below ? 0 : std::min(level - below, kLevels);
      const char* cell = part == 0                      ? " "
                         : m.charset() == Charset::utf8 ? kParts[part - 1]
                         : part >= kLevels / 2          ? "#"
                                                        : ".";
      for (size_t k = 0; k < wide; ++k) bars.append(cell);
    }
    to.push_back(line.add(bars, Style::accent).take());
  }
  LineWriter line(m.size().columns, m.charset());
  line.gap(kAxis + 2).add("all goroutines", Style::dim);
  if (s.window_ns > 0) line.add(", the last " + duration_text(s.window_ns), Style::dim);
  to.push_back(line.take());
}

void draw_body(const Model& m, std::vector<Line>& to) {
  const List& list = m.list();
  const size_t height = body_lines(m.view(), m.size());
  const Widths w = widths(m);
  const size_t begin = to.size();
  for (size_t i = list.top(); i < std::min(list.lines().size(), list.top() + height); ++i) {
    const List::At at = list.lines()[i];
    Line line;
    if (m.view() == View::scheduler) {
      line = m.scheduler()[at.item];
    } else if (at.detail > 0) {
      line = list.detail(at);
    } else if (m.view() == View::findings) {
      line = finding_line(m, m.shown()->findings.findings[m.findings()[at.item]],
                          list.is_expanded(at.item), w);
    } else {
      line = item_line(m, m.items()[at.item], list.is_expanded(at.item), w);
    }
    line.selected = m.view() != View::scheduler && i == list.cursor();
    to.push_back(std::move(line));
  }
  if (list.lines().empty()) {
    LineWriter line(m.size().columns, m.charset());
    to.push_back(line.gap(2).add(emptiness(m), Style::dim).take());
  }
  // Below the list, where it leaves room.
  if (m.view() == View::scheduler) return;
  for (const std::string& note : notes(m)) {
    for (const std::string& piece : wrapped("note: " + note, m.size().columns - 3, m.charset())) {
      if (to.size() - begin >= height) return;
      LineWriter line(m.size().columns, m.charset());
      to.push_back(line.gap(2).add(piece, Style::dim).take());
    }
  }
}

}  // namespace weir::tools::top
