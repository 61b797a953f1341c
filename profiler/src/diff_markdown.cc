// Diff -> Markdown for a comment on a pull request: a table of what changed, and the stacks folded
// below it. Names come from anywhere: in the table nothing of them is markup, a mention or a link;
// the stacks are HTML, in which GitHub looks for neither.
//
// Invariant: at most kMaxMarkdown bytes. The table gets half of them, the stacks what is left.
#include <string>
#include <string_view>

#include "diff_words.h"
#include "encode.h"
#include "wait_words.h"

namespace weir::profiler {

namespace {

using namespace diff_words;

constexpr size_t kMaxRows = 50;
constexpr size_t kTable = kMaxMarkdown / 2;  // bytes
constexpr size_t kTail = 1000;               // bytes kept for what comes behind the stacks

// Text that Markdown takes as it is within a line: no markup, no mention, no link. Who looks for
// @somebody and #5 does so when entities have become characters again: a space of no width is put
// behind.
std::string markdown(std::string_view text) {
  constexpr const char* kNoWidth = "&#8203;";
  std::string to;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_link = text.substr(i).starts_with("://") || text.substr(i).starts_with("www.");
    if (is_link || std::string_view("\\`*_{}[]<>#|~&@$").find(text[i]) != std::string_view::npos) {
      to.append("&#" + std::to_string(static_cast<int>(text[i])) + ";");
    } else {
      to.push_back(text[i]);
    }
    if (text[i] == '@' || text[i] == '#' || text.substr(0, i + 1).ends_with("GH-")) to += kNoWidth;
  }
  return to;
}

std::string html(std::string_view text) {
  std::string to;
  for (const char c : text) {
    if (std::string_view("&<>\"'").find(c) != std::string_view::npos) {
      to.append("&#" + std::to_string(static_cast<int>(c)) + ";");
    } else {
      to.push_back(c);
    }
  }
  return to;
}

// Of a long path that leads nowhere the file alone: the stacks have the rest.
std::string place_cell(const Frame& f, const DiffStyle& style) {
  std::string where = place(f, style);
  if (where.starts_with('/')) where = where.substr(where.rfind('/') + 1);
  where = markdown(where);
  const std::string url = link(f, style, false);
  return url.empty() || where.empty() ? where : "[" + where + "](" + url + ")";
}

std::string row(const Diff::Entry& e, const DiffStyle& style) {
  std::string text = std::string("| ") + (e.after > e.before ? "🔴" : "🟢") + " " +
                     change_name(e.change) + " | " + signed_text(e.before, e.after) + " | " +
                     std::to_string(e.before) + " → " + std::to_string(e.after) + " | ";
  if (e.stack.empty()) {
    text += encode::kStackUnavailable;
  } else {
    text += "**" + markdown(clean(e.stack.front().function)) + "**";
    const std::string where = place_cell(e.stack.front(), style);
    if (!where.empty()) text += "<br>" + where;
  }
  if (!e.created_by.function.empty()) {
    text += "<br>created by " + markdown(clean(e.created_by.function));
    const std::string where = place_cell(e.created_by, style);
    if (!where.empty()) text += " " + where;
  }
  return text + " | " + markdown(facts(e)) + " |\n";
}

std::string stack_block(const Diff::Entry& e, const std::vector<Line>& lines,
                        const DiffStyle& style) {
  std::string text = std::string(change_name(e.change)) + " " + signed_text(e.before, e.after) +
                     "  " + html(facts(e)) + "\n";
  for (const Line& l : lines) {
    text += "    ";
    if (l.frame == nullptr) {
      text += html(l.text) + "\n";
      continue;
    }
    text += (l.creator ? "created by " : "") + html(clean(l.frame->function));
    const std::string where = html(place(*l.frame, style));
    const std::string url = html(link(*l.frame, style, false));
    if (!where.empty()) {
      text += "  " + (url.empty() ? where : "<a href=\"" + url + "\">" + where + "</a>");
    }
    text += "\n";
  }
  return text + "\n";
}

std::string left_out(size_t n, const char* what) {
  return "\n" + std::to_string(n) + " more " + what + (n == 1 ? " is" : " are") +
         " not shown here\n";
}

}  // namespace

bool write_diff_markdown(const Diff& d, const Sink& sink, const DiffStyle& style) {
  std::string text = "### Goroutines: " + std::to_string(d.before) + " → " +
                     std::to_string(d.after) + " (" + signed_text(d.before, d.after) + ")" +
                     within(d) + "\n\n";
  const std::string changes = summary(d);
  text += (changes.empty() ? "Nothing changed." : changes) + "  \n";
  for (const std::string& remark : remarks(d)) text += markdown(remark) + "  \n";

  std::vector<size_t> changed;
  for (size_t i = 0; i < d.entries.size(); ++i) {
    if (d.entries[i].change != Change::unchanged) changed.push_back(i);
  }
  size_t rows = 0;
  if (!changed.empty()) {
    text +=
        "\n| | change | before → after | where | waits for |\n"
        "| --- | ---: | --- | --- | --- |\n";
    for (; rows < std::min(changed.size(), kMaxRows); ++rows) {
      const std::string next = row(d.entries[changed[rows]], style);
      if (text.size() + next.size() > kTable) break;
      text += next;
    }
    if (rows < changed.size()) text += left_out(changed.size() - rows, "changed groups");

    const Stacks stacks(d, style.full_stacks);
    text += "\n<details><summary>Stacks</summary>\n\n<pre>\n";
    size_t blocks = 0;
    for (; blocks < rows; ++blocks) {
      const size_t i = changed[blocks];
      const std::string next = stack_block(d.entries[i], stacks.lines(i), style);
      if (text.size() + next.size() > kMaxMarkdown - kTail) break;
      text += next;
    }
    text += "</pre>\n";
    if (blocks < rows) text += left_out(rows - blocks, "of these stacks");
    text += "\n</details>\n";
  }
  if (const std::string folded = unchanged(d); !folded.empty()) {
    text += "\nunchanged: " + folded + "\n";
  }
  encode::Out out(sink);
  out.write(text);
  return out.finish();
}

}  // namespace weir::profiler
