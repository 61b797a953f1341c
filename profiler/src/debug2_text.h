// What the writer and the reader of debug=2 must agree on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::profiler::debug2 {

inline constexpr std::string_view kUnavailable =
    "goroutine running on other thread; stack unavailable";
inline constexpr std::string_view kElided = "...additional frames elided...";
inline constexpr std::string_view kDivisionSlash = "\u2215", kFullwidthPercent = "\uff05";

// A wait reason and the marks behind it: "chan send (leaked)".
struct Marked {
  std::string_view base;
  bool durable = false;  // in a synctest bubble; a part of the reason
  bool leaked = false;
};

// "(scan)" means that Go looked at the goroutine right then, and is dropped.
inline Marked split_marks(std::string_view status) {
  Marked m{status};
  while (true) {
    const size_t at = m.base.rfind(" (");
    if (at == m.base.npos || at == 0) return m;
    const std::string_view mark = m.base.substr(at);
    if (mark == " (leaked)") {
      m.leaked = true;
    } else if (mark == " (durable)") {
      m.durable = true;
    } else if (mark != " (scan)") {
      return m;
    }
    m.base = m.base.substr(0, at);
  }
}

// "...12 frames elided...": Go's line for frames in the middle of a deep stack. The Snapshot has a
// frame of this name in their place.
inline bool is_elided_middle(std::string_view line) {
  constexpr std::string_view kBefore = "...", kAfter = " frames elided...";
  if (line.size() <= kBefore.size() + kAfter.size() || !line.starts_with(kBefore) ||
      !line.ends_with(kAfter)) {
    return false;
  }
  line.remove_prefix(kBefore.size());
  line.remove_suffix(kAfter.size());
  return std::all_of(line.begin(), line.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Functions of Go have names that Go's tools read as they are.
inline bool is_go_file(std::string_view file) {
  return file.ends_with(".go") || file.ends_with(".s");
}

}  // namespace weir::profiler::debug2
