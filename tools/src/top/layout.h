// Where things stand on the screen, by its size: what the view draws and the lists scroll in.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::tools::top {

struct Size {
  size_t columns = 80, lines = 24;
  bool operator==(const Size&) const = default;
};

enum class View : uint8_t { groups, growth, findings, scheduler };
inline constexpr size_t kViews = 4;

// Below these nothing but a word about it is shown.
inline constexpr size_t kMinColumns = 40, kMinLines = 8;
// Title, totals, findings, views, headings; without totals and findings where lines are few.
inline constexpr size_t kTallLines = 14;

inline bool is_too_small(Size s) { return s.columns < kMinColumns || s.lines < kMinLines; }
inline size_t head_lines(Size s) { return s.lines >= kTallLines ? 5 : 3; }

// Of the curve of all goroutines, above the groups that grow.
inline size_t curve_lines(View view, Size s) {
  if (view != View::growth || s.lines < 20) return 0;
  return s.lines >= 40 ? 9 : 6;
}

inline size_t body_lines(View view, Size s) {
  const size_t others = head_lines(s) + curve_lines(view, s) + 1;  // the last line
  return s.lines > others ? s.lines - others : 1;
}

}  // namespace weir::tools::top
