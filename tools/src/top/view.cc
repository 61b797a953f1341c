#include "view.h"

#include <algorithm>
#include <array>
#include <string>

namespace weir::tools::top {

namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
// What is this much older than it should be is stale although nobody has said why.
constexpr int64_t kLateNs = 2 * kSecondNs;

// The reason of a failure without the target, which the title has.
std::string reason(const Model& m) {
  const std::string& failure = m.status().failure;
  const std::string prefix = m.target() + ": ";
  return failure.starts_with(prefix) ? failure.substr(prefix.size()) : failure;
}

struct Status {
  std::string text;
  Style style = Style::good;
};

// How fresh what is shown is.
Status freshness(const Model& m, int64_t now_ns) {
  const FeedStatus& s = m.status();
  const Sample* shown = m.shown();
  if (!shown) return {s.failure.empty() ? "asking" : "no answer", Style::warning};
  const int64_t age = std::max<int64_t>(now_ns - shown->at_ns, 0);
  if (m.is_frozen()) return {"FROZEN " + duration_text(age), Style::warning};
  if (!s.failure.empty()) return {"STALE " + duration_text(age), Style::bad};
  if (s.asking && now_ns - s.asking_since_ns > kLateNs) {
    return {"asking for " + duration_text(now_ns - s.asking_since_ns), Style::warning};
  }
  if (s.pause_ns == 0) return {"one look", Style::plain};
  const char* const what = shown->origin == Origin::file ? "file" : "live";
  return {std::string(what) + ", every " + duration_text(s.pause_ns), Style::good};
}

Line title(const Model& m, int64_t now_ns) {
  LineWriter line(m.size().columns, m.charset());
  const Status status = freshness(m, now_ns);
  // The status comes first where there is room for one only.
  const size_t room = m.size().columns - std::min(m.size().columns, width(status.text) + 3);
  std::string name = m.target();
  if (m.shown() && !m.shown()->program.empty()) name = m.shown()->program + "  " + name;
  line.gap().add("weir top", Style::strong).gap(2);
  if (room > 12) line.add(cut(clean(name, m.charset()), room - 12, m.charset()), Style::accent);
  line.at_edge(status.text + " ", status.style);
  return line.take();
}

constexpr std::string_view kStateNames[Sample::kStates] = {
    "idle", "runnable", "running", "in syscalls", "waiting", "dead", "copystack"};

Line totals(const Model& m) {
  LineWriter line(m.size().columns, m.charset());
  const Sample& s = *m.shown();
  line.gap().add(count_text(s.total), Style::strong);
  line.add(s.total == 1 ? " goroutine" : " goroutines");
  if (s.per_minute) {
    line.gap(2).add(rate_text(*s.per_minute), *s.per_minute >= 0.05 ? Style::warning : Style::dim);
    line.gap().add(sparkline(s.recent, 12, m.charset()), Style::accent);
  }
  line.gap();
  // The usual order of life; what is nobody's is left out.
  for (const auto state :
       {profiler::State::waiting, profiler::State::running, profiler::State::runnable,
        profiler::State::syscall, profiler::State::copystack, profiler::State::idle,
        profiler::State::dead}) {
    const auto i = static_cast<size_t>(state);
    if (s.states[i] > 0)
      line.gap().add(count_text(s.states[i]) + " ").add(kStateNames[i], Style::dim);
  }
  return line.take();
}

Line findings(const Model& m) {
  LineWriter line(m.size().columns, m.charset());
  const Sample& s = *m.shown();
  line.gap();
  if (!s.findings_missing.empty()) {
    line.add("no findings: " + s.findings_missing, Style::warning);
    return line.take();
  }
  std::array<uint64_t, profiler::kCertainties> counts{};
  for (const profiler::Finding& f : s.findings.findings) {
    ++counts[std::min(static_cast<size_t>(f.certainty), profiler::kCertainties - 1)];
  }
  if (s.findings.findings.empty()) {
    line.add("no leaks found", Style::good);
  } else {
    line.add("leaks:");
    for (size_t i = profiler::kCertainties; i-- > 0;) {
      if (counts[i] == 0) continue;
      const auto certainty = static_cast<profiler::Certainty>(i);
      line.gap()
          .add(count_text(counts[i]) + " ")
          .add(profiler::to_string(certainty),
               certainty == profiler::Certainty::suspect ? Style::plain : Style::bad);
    }
  }
  if (s.oldest_ns >= 0) line.gap(3).add("longest wait ").add(duration_text(s.oldest_ns));
  if (s.sched) {
    const uint64_t busy = s.sched->gomaxprocs - std::min(s.sched->idle_procs, s.sched->gomaxprocs);
    line.gap(3).add(count_text(busy) + " of " + counted(s.sched->gomaxprocs, "P") + " busy");
  }
  return line.take();
}

Line views(const Model& m) {
  LineWriter line(m.size().columns, m.charset());
  std::array<std::string, kViews> names = {"Groups", "Growth", "Findings", "Scheduler"};
  if (m.shown()) names[2] += " " + count_text(m.shown()->findings.findings.size());
  for (size_t i = 0; i < kViews; ++i) {
    const bool is_shown = m.view() == static_cast<View>(i);
    const std::string text = std::to_string(i + 1) + " " + names[i];
    line.add(is_shown ? "[" : " ").add(text, is_shown ? Style::strong : Style::dim);
    line.add(is_shown ? "]" : " ");
  }
  std::string right;
  if (m.is_since_mark() && m.mark()) {
    const int64_t since = m.shown() ? m.shown()->at_ns - m.mark()->at_ns : 0;
    right = "since mark " + duration_text(std::max<int64_t>(since, 0)) + " ago";
  } else if (m.shown() && m.shown()->window_ns > 0) {
    right = "growth over " + duration_text(m.shown()->window_ns);
  }
  if (!m.filter().empty()) {
    right = count_text(m.items().size()) + " of " + counted(m.rows_in_all(), "group");
    const std::string pattern = "/" + clean(m.filter(), m.charset()) + "/  ";
    if (width(pattern) + width(right) + 4 <= line.room()) right.insert(0, pattern);
  }
  line.gap(2);
  line.at_edge(right + " ", m.filter().empty() ? Style::dim : Style::warning);
  return line.take();
}

// The last line: what is typed, what a key has done, what is wrong, or which keys there are.
Line last_line(const Model& m, int64_t now_ns) {
  LineWriter line(m.size().columns, m.charset());
  line.gap();
  const FeedStatus& s = m.status();
  if (m.prompt()) {
    line.add("filter: ", Style::strong).add(*m.prompt()).add("_", Style::strong);
    line.at_edge("Enter keeps it, Esc does not ", Style::dim);
  } else if (const std::string message = m.message(now_ns); !message.empty()) {
    line.add(message, Style::warning);
  } else if (!s.failure.empty() && m.shown()) {
    const int64_t age = std::max<int64_t>(now_ns - m.shown()->at_ns, 0);
    line.add("stale " + duration_text(age) + ": " + reason(m), Style::bad);
    const int64_t next = std::max<int64_t>(s.next_ns - now_ns, 0) / kSecondNs + 1;
    line.at_edge(s.asking ? "asking again " : "again in " + std::to_string(next) + "s ",
                 Style::dim);
  } else {
    static constexpr std::array<std::pair<const char*, const char*>, 8> kKeys = {
        {{"Enter", "stack"},
         {"/", "filter"},
         {"s", "sort"},
         {"f", "freeze"},
         {"m", "mark"},
         {"d", "diff"},
         {"?", "help"},
         {"q", "quit"}}};
    for (const auto& [key, what] : kKeys) {
      line.add(key, Style::strong).gap().add(what, Style::dim).gap(2);
    }
  }
  return line.take();
}

std::vector<Line> too_small(const Model& m) {
  std::vector<Line> lines;
  LineWriter line(m.size().columns, m.charset());
  line.add("too small: " + std::to_string(kMinColumns) + "x" + std::to_string(kMinLines) +
           " needed");
  lines.push_back(line.take());
  return lines;
}

void nothing_yet(const Model& m, int64_t now_ns, std::vector<Line>& to) {
  const FeedStatus& s = m.status();
  to.emplace_back();
  LineWriter line(m.size().columns, m.charset());
  line.gap();
  if (s.asking || s.failure.empty()) {
    const int64_t since = s.asking ? std::max<int64_t>(now_ns - s.asking_since_ns, 0) : 0;
    line.add("asking " + m.target() + " for " + duration_text(since / kSecondNs * kSecondNs));
  } else {
    line.add("no answer yet: " + reason(m), Style::bad);
  }
  to.push_back(line.take());
}

void head(const Model& m, int64_t now_ns, std::vector<Line>& to) {
  to.push_back(title(m, now_ns));
  if (head_lines(m.size()) == 5) {
    to.push_back(totals(m));
    to.push_back(findings(m));
  }
  to.push_back(views(m));
  draw_curve(m, to);
  to.push_back(headings(m));
}

}  // namespace

std::vector<Line> render(const Model& m, int64_t now_ns) {
  std::vector<Line> lines;
  if (is_too_small(m.size())) {
    lines = too_small(m);
  } else if (m.has_help()) {
    lines = help_lines(m);
  } else if (!m.shown()) {
    lines.push_back(title(m, now_ns));
    nothing_yet(m, now_ns, lines);
  } else {
    head(m, now_ns, lines);
    draw_body(m, lines);
  }
  lines.resize(std::max<size_t>(m.size().lines, 1));
  if (!is_too_small(m.size()) && !m.has_help()) lines.back() = last_line(m, now_ns);
  return lines;
}

std::string render_text(const Model& m, int64_t now_ns) {
  std::vector<Line> lines;
  head(m, now_ns, lines);
  draw_body(m, lines);
  std::string text;
  for (const Line& line : lines) {
    std::string one = line.text();
    one.erase(one.find_last_not_of(' ') + 1);
    text.append(one).push_back('\n');
  }
  return text;
}

}  // namespace weir::tools::top
