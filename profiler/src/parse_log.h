// Finds goroutines in a text: a dump, or a log that has one in it. A log may put something before
// every line, such as a time: the first goroutine's header tells what, and other lines lose what
// looks like it (digits, fractions and blanks may differ). A header behind something else tells
// anew.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "parse_debug2_header.h"
#include "parse_text.h"

namespace weir::profiler::parsing {

// A number, perhaps with a fraction: times are written without one where it is zero.
inline bool eat_number(std::string_view& s) {
  if (eat_digits(s).empty()) return false;
  if (s.size() > 1 && (s[0] == '.' || s[0] == ',') && is_digit(s[1])) {
    s.remove_prefix(1);
    eat_digits(s);
  }
  return true;
}

// The line without what looks like the prefix; as it is, where nothing does.
inline std::string_view without_prefix(std::string_view line, std::string_view prefix) {
  constexpr std::string_view kBlanks = " \t";
  std::string_view rest = line;
  while (!prefix.empty()) {
    const size_t blanks = std::min(prefix.find_first_not_of(kBlanks), prefix.size());
    if (is_digit(prefix[0])) {
      eat_number(prefix);
      if (!eat_number(rest)) return line;
    } else if (blanks != 0 && blanks != prefix.size() && !rest.empty()) {
      // As in front of a day of one digit. (Blanks at the end of the prefix are counted: what comes
      // then may begin with some of its own.)
      const size_t here = std::min(rest.find_first_not_of(kBlanks), rest.size());
      if (here == 0) return line;
      rest.remove_prefix(here);
      prefix.remove_prefix(blanks);
    } else if (rest.empty()) {
      // Blanks at the end of an empty line may have been cut off.
      return blanks == prefix.size() ? rest : line;
    } else {
      if (rest[0] != prefix[0]) return line;
      rest.remove_prefix(1);
      prefix.remove_prefix(1);
    }
  }
  return rest;
}

class LogLines {
 public:
  explicit LogLines(std::string_view text) : lines_(text) {}

  // Goes on to the next header.
  bool next_header(Header& h) {
    while (has_line_ || next()) {
      has_line_ = false;
      if (is_header(h)) return true;
    }
    return false;
  }

  // The lines behind the header up to an empty one, the next header, or the end.
  void read_block(std::vector<std::string_view>& block) {
    block.clear();
    is_at_end_ = false;
    Header ignored;
    while (next()) {
      if (line_.empty()) return;
      if (is_header(ignored)) {
        has_line_ = true;
        return;
      }
      block.push_back(line_);
    }
    is_at_end_ = true;
  }

  bool found() const { return found_; }
  size_t number() const { return lines_.number(); }
  // The block ended because the text did,
  bool is_at_end() const { return is_at_end_; }
  // with the end of a line.
  bool is_whole() const { return lines_.is_whole(); }
  // The text ended within what may become a goroutine's header.
  bool ends_in_header() const {
    return !lines_.is_whole() && (kStart.starts_with(line_) || line_.starts_with(kStart));
  }

 private:
  static constexpr std::string_view kStart = "goroutine ";

  bool next() {
    if (!lines_.next(line_)) return false;
    const size_t size = line_.size();
    if (!prefix_.empty()) line_ = without_prefix(line_, prefix_);
    is_odd_ = !prefix_.empty() && line_.size() == size;
    return true;
  }

  bool is_header(Header& h) {
    if (line_.starts_with(kStart)) {
      if (!parse_header(line_, h)) return false;
    } else {
      const size_t at = found_ && !is_odd_ ? line_.npos : line_.find(kStart);
      if (at == line_.npos || !parse_header(line_.substr(at), h)) return false;
      prefix_ = line_.substr(0, at);
    }
    return found_ = true;
  }

  Lines lines_;
  std::string_view line_, prefix_;
  bool has_line_ = false;  // line_ is a header that was not handed out yet
  bool found_ = false, is_at_end_ = false;
  bool is_odd_ = false;  // line_ does not have the prefix that others have
};

}  // namespace weir::profiler::parsing
