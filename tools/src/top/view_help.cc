// The keys, and what columns and signs mean.
#include "view.h"

namespace weir::tools::top {

std::vector<Line> help_lines(const Model& m) {
  struct Entry {
    const char* keys;
    const char* what;
  };
  static constexpr Entry kEntries[] = {
      {"1 2 3 4, Tab", "views: groups, growth, findings (leaks), scheduler"},
      {"j k, arrows", "down and up; PgUp and PgDn, g and G or Home and End"},
      {"Enter, Space", "expand a line: its stacks; a finding's cause and evidence"},
      {"/", "filter: a text or a regular expression in functions, files,"},
      {"", "reasons, labels; Esc clears it"},
      {"s S, r", "sort the groups by the next or previous column; reverse"},
      {"f", "freeze what is shown; samples are still taken"},
      {"m, d", "mark what is shown; d shows what has changed since"},
      {"R, Ctrl-L", "ask the target now; draw anew"},
      {"q, Ctrl-C", "quit; Ctrl-Z suspends"},
      {nullptr, nullptr},
      {"GROWTH", "goroutines a minute, by the samples of the last minute"},
      {"OLDEST", "the longest of their waits"},
      {"STUCK AT", "where they are blocked, in the program's own code"},
      {"CREATED BY", "the function with their go; (in brackets): what it started"},
      {"! and ?", "a finding is about them: a leak; perhaps a leak"},
  };
  std::vector<Line> lines;
  LineWriter title(m.size().columns, m.charset());
  lines.push_back(title.gap().add("weir top: keys", Style::strong).take());
  lines.emplace_back();
  for (const Entry& e : kEntries) {
    LineWriter line(m.size().columns, m.charset());
    if (e.keys) line.gap(2).left(e.keys, 14, Style::strong).add(e.what);
    lines.push_back(line.take());
  }
  if (lines.size() + 2 > m.size().lines) lines.resize(m.size().lines - 2);
  lines.emplace_back();
  LineWriter last(m.size().columns, m.charset());
  lines.push_back(last.gap().add("any key goes back", Style::dim).take());
  return lines;
}

}  // namespace weir::tools::top
