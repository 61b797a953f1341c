// Diff -> text for people, on a terminal with colours and links.
//
//   zoo: 120 -> 179 goroutines (+59) within 10s
//   +62 in 2 groups (1 new, 1 grown), -3 in 1 group (1 gone)
//   one process (pid 4711): goroutine 1 has waited since before the old side was taken
//
//   new     +42 (0 -> 42)  chan receive, oldest 9s
//       zoo::receive  zoo.cc:31
//       zoo::serve  zoo.cc:80
//       .. 2 more, as others have them ..
//       created by main  main.cc:7
//
//   unchanged: 12 groups, 78 goroutines
#include "diff_words.h"
#include "encode.h"
#include "wait_words.h"

namespace weir::profiler {

namespace {

using namespace diff_words;

class Painter {
 public:
  explicit Painter(const DiffStyle& style) : style_(style) {}

  std::string bold(const std::string& text) const { return painted("1", text); }
  std::string faint(const std::string& text) const { return painted("2", text); }
  // Growth is what is looked for.
  std::string change(bool grows, const std::string& text) const {
    return painted(grows ? "1;31" : "32", text);
  }

  std::string line(const Line& l) const {
    if (l.frame == nullptr) return faint(l.text);
    const std::string where = place(*l.frame, style_);
    const std::string function = clean(l.frame->function);
    return (l.creator ? "created by " + function : function) +
           (where.empty() ? "" : "  " + linked(*l.frame, where));
  }

 private:
  std::string painted(const char* how, const std::string& text) const {
    return style_.colour ? std::string("\x1b[") + how + "m" + text + "\x1b[0m" : text;
  }
  std::string linked(const Frame& f, const std::string& text) const {
    const std::string shown = painted("36", text);
    const std::string url = style_.links ? link(f, style_, true) : "";
    if (url.empty()) return shown;
    return "\x1b]8;;" + url + "\x1b\\" + shown + "\x1b]8;;\x1b\\";
  }

  const DiffStyle& style_;
};

std::string head(const Diff& d) {
  const std::string process = clean(d.now_process.empty() ? d.old_process : d.now_process);
  return (process.empty() ? "" : process + ": ") + std::to_string(d.before) + " -> " +
         count_of(d.after, "goroutine") + " (" + signed_text(d.before, d.after) + ")" + within(d);
}

}  // namespace

bool write_diff_text(const Diff& d, const Sink& sink, const DiffStyle& style) {
  encode::Out out(sink);
  const Painter paint(style);
  const Stacks stacks(d, style.full_stacks);
  out.write(paint.bold(head(d)) + "\n");
  const std::string changes = summary(d);
  out.write((changes.empty() ? "nothing changed" : changes) + "\n");
  for (const std::string& remark : remarks(d)) out.write(paint.faint(remark) + "\n");
  for (size_t i = 0; i < d.entries.size() && out.ok(); ++i) {
    const Diff::Entry& e = d.entries[i];
    if (e.change == Change::unchanged) continue;
    const std::string name = change_name(e.change);
    const std::string more = facts(e);
    std::string text =
        "\n" + paint.change(e.after > e.before, name + std::string(8 - name.size(), ' ') +
                                                    signed_text(e.before, e.after));
    text += " (" + std::to_string(e.before) + " -> " + std::to_string(e.after) + ")";
    text += (more.empty() ? "" : "  " + more) + "\n";
    for (const Line& line : stacks.lines(i)) text += "    " + paint.line(line) + "\n";
    out.write(text);
  }
  if (const std::string text = unchanged(d); !text.empty()) {
    out.write("\n" + paint.faint("unchanged: " + text) + "\n");
  }
  return out.finish();
}

}  // namespace weir::profiler
