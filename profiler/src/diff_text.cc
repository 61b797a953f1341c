// Diff -> text for people, and -> Markdown for a comment on a pull request.
//
//   zoo: 120 -> 179 goroutines (+59) within 10s
//   one process (pid 4711): goroutine 1 has waited since before the old side was taken
//
//   new     +42 (0 -> 42)  chan receive, oldest 9s
//       zoo::receive  zoo.cc:31
//       zoo::serve  zoo.cc:80
//       created by main  main.cc:7
//
//   unchanged: 12 groups, 78 goroutines
//
// A stack shows what is nearest to where it stands, and its root; a Diff may have many entries, so
// both writers stop after a bound, and say so.
#include <algorithm>

#include "diff_words.h"
#include "dot.h"
#include "encode.h"
#include "wait_words.h"

namespace weir::profiler {

namespace {

constexpr size_t kNear = 4;          // frames shown from the leaf
constexpr size_t kMaxText = 300;     // bytes of a name
constexpr size_t kMaxGoids = 8;      // of those that stayed
constexpr size_t kMaxMarkdown = 50;  // entries

std::string clean(std::string_view text) {
  std::string to;
  encode::append_clean(to, dot_text::shortened(text, kMaxText));
  return to;
}

std::string head(const Diff& d) {
  std::string text = clean(d.now_process.empty() ? d.old_process : d.now_process);
  if (!text.empty()) text.append(": ");
  text.append(std::to_string(d.before) + " -> " + count_of(d.after, "goroutine") + " (" +
              signed_text(d.before, d.after) + ")");
  if (d.old_taken_at_ns != 0 && d.now_taken_at_ns >= d.old_taken_at_ns) {
    text.append(" within " + dot_text::duration(d.now_taken_at_ns - d.old_taken_at_ns));
  }
  return text;
}

// How the groups were told apart, where that is not the usual.
std::string comparison(const Diff& d) {
  std::string text;
  const auto add = [&text](const char* what) {
    text.append(text.empty() ? "" : ", ").append(what);
  };
  if (!d.by_lines) add("lines");
  if (!d.by_wait) add("wait reasons");
  if (!d.by_creator) add("creators");
  return text.empty() ? text : "not told apart: " + text;
}

std::string what(const Diff::Entry& e) {
  std::string text = e.thread ? "threads" : "";
  const auto add = [&text](const std::string& part) {
    text.append(text.empty() ? "" : ", ").append(part);
  };
  if (!e.wait.empty()) add(clean(e.wait));
  if (e.after > 0 && e.oldest_ns >= 0) add("oldest " + dot_text::duration(e.oldest_ns));
  if (!e.stayed.empty()) {
    std::string goids;
    for (size_t i = 0; i < std::min(e.stayed.size(), kMaxGoids); ++i) {
      goids.append(i == 0 ? "" : ", ").append(std::to_string(e.stayed[i]));
    }
    add(std::to_string(e.stayed.size()) + " stayed (" + goids +
        (e.stayed.size() > kMaxGoids ? ", .." : "") + ")");
  }
  for (const auto& [key, value] : e.labels) add(clean(key) + "=" + clean(value));
  return text;
}

std::string frame_line(const Frame& f) {
  const std::string place = dot_text::place_text(f.file, f.line);
  return clean(f.function) + (place.empty() ? "" : "  " + clean(place));
}

// The lines of a stack that matter.
std::vector<std::string> stack_lines(const Diff::Entry& e) {
  std::vector<std::string> lines;
  const size_t n = e.stack.size();
  const size_t near = n <= kNear + 2 ? n : kNear;
  for (size_t i = 0; i < near; ++i) lines.push_back(frame_line(e.stack[i]));
  if (near < n) {
    lines.push_back(".. " + std::to_string(n - near - 1) + " more ..");
    lines.push_back(frame_line(e.stack.back()));
  }
  if (lines.empty()) lines.emplace_back(encode::kStackUnavailable);
  if (!e.created_by.function.empty()) lines.push_back("created by " + frame_line(e.created_by));
  return lines;
}

std::string unchanged(const Diff& d) {
  uint64_t groups = 0, goroutines = 0;
  for (const Diff::Entry& e : d.entries) {
    if (e.change != Change::unchanged) continue;
    ++groups;
    goroutines = encode::saturating_add(goroutines, e.after);
  }
  if (groups == 0) return {};
  return "unchanged: " + count_of(groups, "group") + ", " + count_of(goroutines, "goroutine");
}

// Text that Markdown takes as it is within a line: no markup, no mention, no link.
std::string markdown(std::string_view text) {
  std::string to;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_link = text.substr(i).starts_with("://");
    if (is_link || std::string_view("\\`*_{}[]<>#|~&@").find(text[i]) != std::string_view::npos) {
      to.append("&#" + std::to_string(static_cast<int>(text[i])) + ";");
    } else {
      to.push_back(text[i]);
    }
  }
  return to;
}

}  // namespace

bool write_diff_text(const Diff& d, const Sink& sink) {
  encode::Out out(sink);
  out.write(head(d) + "\n");
  out.write(clean(d.same_process_why) + "\n");
  if (const std::string text = comparison(d); !text.empty()) out.write(text + "\n");
  if (d.ignored > 0) out.write("ignored: " + count_of(d.ignored, "group") + "\n");
  for (const Diff::Entry& e : d.entries) {
    if (!out.ok()) break;
    if (e.change == Change::unchanged) continue;
    std::string text = "\n";
    text.append(change_name(e.change))
        .append(8 - std::string_view(change_name(e.change)).size(), ' ');
    text.append(signed_text(e.before, e.after) + " (" + std::to_string(e.before) + " -> " +
                std::to_string(e.after) + ")");
    if (const std::string more = what(e); !more.empty()) text.append("  " + more);
    text.append("\n");
    for (const std::string& line : stack_lines(e)) text.append("    " + line + "\n");
    out.write(text);
  }
  if (const std::string text = unchanged(d); !text.empty()) out.write("\n" + text + "\n");
  return out.finish();
}

bool write_diff_markdown(const Diff& d, const Sink& sink) {
  encode::Out out(sink);
  out.write("### Goroutines: " + std::to_string(d.before) + " → " + std::to_string(d.after) + " (" +
            signed_text(d.before, d.after) + ")\n\n" + markdown(d.same_process_why) + "\n");
  size_t changed = 0;
  for (const Diff::Entry& e : d.entries) {
    if (e.change == Change::unchanged || !out.ok()) continue;
    if (++changed == 1) {
      out.write(
          "\n| | change | before → after | where | waits for |\n"
          "| --- | ---: | --- | --- | --- |\n");
    }
    if (changed > kMaxMarkdown) continue;
    const char* const mark = e.after > e.before ? "🔴" : "🟢";
    std::string row = std::string("| ") + mark + " " + change_name(e.change) + " | " +
                      signed_text(e.before, e.after) + " | " + std::to_string(e.before) + " → " +
                      std::to_string(e.after) + " | ";
    if (e.stack.empty()) {
      row.append("stack unavailable");
    } else {
      const Frame& f = e.stack.front();
      row.append("**" + markdown(clean(f.function)) + "**");
      const std::string_view file = dot_text::base_name(f.file);
      if (!file.empty()) row.append("<br>" + markdown(clean(dot_text::place_text(file, f.line))));
    }
    if (!e.created_by.function.empty()) {
      row.append("<br>created by " + markdown(clean(e.created_by.function)));
    }
    out.write(row + " | " + markdown(what(e)) + " |\n");
  }
  if (changed > kMaxMarkdown) {
    out.write("\n" + std::to_string(changed - kMaxMarkdown) + " more are not shown\n");
  }
  if (changed == 0) out.write("\nNothing changed.\n");

  if (changed > 0) {
    out.write("\n<details><summary>Stacks</summary>\n\n");
    size_t n = 0;
    for (const Diff::Entry& e : d.entries) {
      if (e.change == Change::unchanged) continue;
      if (++n > kMaxMarkdown) break;
      // Indented code: nothing within is markup.
      std::string text = std::string("    ") + change_name(e.change) + " " +
                         signed_text(e.before, e.after) + "  " + what(e) + "\n";
      for (const std::string& line : stack_lines(e)) text.append("        " + line + "\n");
      out.write(text + "\n");
    }
    out.write("</details>\n");
  }
  if (const std::string text = unchanged(d); !text.empty()) out.write("\n" + text + "\n");
  return out.finish();
}

}  // namespace weir::profiler
