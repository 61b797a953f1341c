// Findings -> GitHub's workflow commands, one a line:
//
//   ::error file=src/orders.cc,line=11,title=goroutine leak%3A chan_send (likely)::57 goroutines ..
//   ::notice title=goroutine leaks::12 leaks in 3 processes, 2 of them known; 10 are shown
//
// GitHub shows ten errors of a step and passes over the others, so those that are most worth it
// come first, and the notice tells how many there are. A value holds no newline, no comma and no
// colon but as %0A, %2C and %3A, so no name can begin a command of its own.
#include <weir/profiler/report.h>

#include <algorithm>
#include <vector>

#include "detect/finding_words.h"
#include "dot.h"
#include "encode.h"
#include "wait_words.h"

namespace weir::profiler {

namespace {

constexpr size_t kShown = 10;         // errors that GitHub shows of a step
constexpr size_t kMaxMessage = 4000;  // bytes

// Control characters made visible, and what has a meaning in a command escaped.
std::string escaped(std::string_view text, std::string_view also) {
  std::string result;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string line;
    encode::append_clean(line, text.substr(0, end));
    for (const char c : line) {
      if (c == '%' || also.find(c) != also.npos) {
        result.push_back('%');
        result.append(c == '%' ? "25" : c == ':' ? "3A" : "2C");
      } else {
        result.push_back(c);
      }
    }
    if (end == text.size()) break;
    result.append("%0A");
    text.remove_prefix(end + 1);
  }
  return result;
}
std::string property(std::string_view text) { return escaped(text, ":,"); }
std::string body(std::string_view text) { return escaped(text, {}); }

std::string message(const Finding& f, const std::string& target) {
  std::string text = f.cause + "\n" + finding_words::numbers(f);
  const auto add = [&text](const char* name, const std::string& value) {
    if (!value.empty()) text.append("\n").append(name).append(value);
  };
  add("process: ", dot_text::shortened(target, finding_words::kMaxText));
  add("test: ", dot_text::shortened(f.test, finding_words::kMaxText));
  add("stuck at ", finding_words::where(f.blocked_at));
  add("created by ", finding_words::where(f.created_by));
  for (const std::string& sentence : f.evidence) add("", sentence);
  add("fix: ", f.fix);
  return dot_text::shortened(text, kMaxMessage);
}

struct Item {
  const Finding* finding;
  const Findings* of;
};

void write(encode::Out& out, const Item& item, std::string_view root) {
  const Finding& f = *item.finding;
  std::string text = "::error ";
  const finding_words::Place place = finding_words::place_to_show(f, root);
  if (place.in_root) {
    text.append("file=" + property(place.path) + ",");
    if (place.frame->line > 0) text.append("line=" + std::to_string(place.frame->line) + ",");
  }
  text.append("title=" + property("goroutine leak: " + std::string(to_string(f.kind)) + " (" +
                                  std::string(to_string(f.certainty)) + ")"));
  out.write(text + "::" + body(message(f, item.of->target)) + "\n");
}

}  // namespace

bool write_report_github(const Report& r, const Sink& sink) {
  std::vector<Item> items;
  size_t known = 0;
  for (const Findings& f : r.all) {
    for (const Finding& finding : f.findings) {
      if (finding.known) {
        ++known;
      } else {
        items.push_back({&finding, &f});
      }
    }
  }
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    if (a.finding->certainty != b.finding->certainty) {
      return a.finding->certainty > b.finding->certainty;
    }
    if (a.finding->growth_per_minute != b.finding->growth_per_minute) {
      return a.finding->growth_per_minute > b.finding->growth_per_minute;
    }
    return a.finding->count > b.finding->count;
  });
  encode::Out out(sink);
  const size_t shown = std::min(items.size(), kShown);
  for (size_t i = 0; i < shown && out.ok(); ++i) write(out, items[i], r.root);
  std::string sum = items.empty() ? "no " + std::string(known > 0 ? "new " : "") + "goroutine leaks"
                                  : count_of(items.size(), known > 0 ? "new leak" : "leak");
  sum.append(" in " + count_of(r.all.size(), "process", "processes"));
  if (known > 0) sum.append(", " + std::to_string(known) + " known");
  if (shown < items.size()) sum.append("; " + std::to_string(shown) + " are shown here");
  for (const std::string& note : r.notes) sum.append("\n" + note);
  // A clean one makes no annotation.
  const bool is_told = !items.empty() || !r.notes.empty();
  out.write((is_told ? "::notice title=goroutine leaks::" : "weir: ") + body(sum) + "\n");
  return out.finish();
}

}  // namespace weir::profiler
