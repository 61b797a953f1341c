// Words and numbers that the writers of a Diff share.
#pragma once

#include <string>
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

}  // namespace weir::profiler
