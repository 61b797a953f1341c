// What the writers of a Diff share: words, numbers, stacks made short, places and where they lead.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/diff.h>

namespace weir::profiler {

inline const char* change_name(Change c) {
  switch (c) {
    case Change::fresh:
      return "new";
    case Change::gone:
      return "gone";
    case Change::grown:
      return "grown";
    case Change::shrunk:
      return "shrunk";
    case Change::unchanged:
      return "unchanged";
  }
  return "";
}

// "+12", "-3", "0".
inline std::string signed_text(uint64_t before, uint64_t after) {
  if (after >= before) return (after > before ? "+" : "") + std::to_string(after - before);
  return "-" + std::to_string(before - after);
}

namespace diff_words {

// "+62 in 2 groups (1 new, 1 grown), -3 in 1 group (1 gone)"; empty: nothing changed.
std::string summary(const Diff& d);
// "3 groups, 12 goroutines"; empty: none is unchanged.
std::string unchanged(const Diff& d);
// " within 10s"; empty: not known.
std::string within(const Diff& d);
// How the groups were told apart and what was left out, where that is not the usual; a line each.
std::vector<std::string> remarks(const Diff& d);
// What is known of an entry beside its stack: "chan receive, oldest 9s, 2 stayed (4, 7)".
std::string facts(const Diff::Entry& e);

// A name fit for one line: of a bounded length, and without control characters.
std::string clean(std::string_view text);

// Where a frame is: "src/zoo.cc:31", relative to the style's source_root; empty: not known.
std::string place(const Frame& f, const DiffStyle& style);
// Where that can be read: below link_base; else, where `local`, the file itself. Empty: nowhere.
// A URL without blanks, quotes, brackets or control characters.
std::string link(const Frame& f, const DiffStyle& style, bool local);

// A line of a stack.
struct Line {
  const Frame* frame = nullptr;  // null: `text` stands for frames that are not shown
  bool creator = false;          // it made the goroutines
  std::string text{};
};

// Stacks by the frames in which they differ: of each the leaf's side, up to the frame that it
// shares with another entry of the Diff, unchanged ones too. Refers to the Diff.
class Stacks {
 public:
  Stacks(const Diff& d, bool full);
  std::vector<Line> lines(size_t entry) const;

 private:
  const Diff& d_;
  const bool full_;
  std::vector<size_t> shared_;  // by entry: frames from the root on that another entry has too
};

}  // namespace diff_words

}  // namespace weir::profiler
