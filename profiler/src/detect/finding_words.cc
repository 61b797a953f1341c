// Findings in words (finding_words.h).
#include "detect/finding_words.h"

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "dot.h"
#include "wait_words.h"

namespace weir::profiler {

Identity identity_of(const Finding& f) {
  return {std::string(to_string(f.kind)), f.blocked_at.function, f.created_by.function};
}

namespace finding_words {

namespace {

std::string growth(double per_minute) {
  if (per_minute == 0 || !std::isfinite(per_minute)) return {};
  char text[64];
  const double size = std::fabs(per_minute);
  // Slow ones by the hour: few people think in hundredths.
  const bool by_hour = size < 0.1;
  std::snprintf(text, sizeof text, ", %s by %.3g per %s", per_minute > 0 ? "growing" : "shrinking",
                by_hour ? size * 60 : size, by_hour ? "hour" : "minute");
  return text;
}

}  // namespace

std::string where(const Frame& f) {
  if (f.function.empty()) return {};
  std::string text = dot_text::shortened(f.function, kMaxText);
  const std::string place = dot_text::place_text(f.file, f.line);
  return place.empty() ? text : text + "  " + dot_text::shortened(place, kMaxText);
}

std::string numbers(const Finding& f) {
  std::string text = std::string(to_string(f.kind)) + ", " + count_of(f.count, "goroutine");
  if (f.peak > f.count) text.append(" (at most " + std::to_string(f.peak) + ")");
  text.append(growth(f.growth_per_minute));
  if (f.oldest_wait_ns >= 0) text.append(", oldest " + dot_text::duration(f.oldest_wait_ns));
  if (!f.wait.empty()) text.append(" [" + dot_text::shortened(f.wait, kMaxText) + "]");
  return text;
}

std::string title(const Finding& f) {
  std::string text(to_string(f.kind));
  const auto add = [&text](const char* what, const Frame& frame) {
    if (!frame.function.empty()) {
      text.append(what).append(dot_text::shortened(frame.function, kMaxText));
    }
  };
  add(" in ", f.blocked_at);
  add(", created by ", f.created_by);
  return text;
}

Place place_of(const Frame& f, std::string_view root) {
  if (f.file.empty()) return {};
  Place place{&f, std::filesystem::path(f.file).lexically_normal().string(), false};
  while (root.ends_with('/')) root.remove_suffix(1);
  if (!place.path.starts_with('/')) {
    place.in_root = place.path != ".." && !place.path.starts_with("../");
  } else if (!root.empty() && place.path.size() > root.size() + 1 && place.path.starts_with(root) &&
             place.path[root.size()] == '/') {
    place.path.erase(0, root.size() + 1);
    place.in_root = true;
  }
  return place;
}

Place place_to_show(const Finding& f, std::string_view root) {
  Place stuck = place_of(f.blocked_at, root);
  if (stuck.in_root) return stuck;
  for (const Frame& frame : f.stack) {
    if (Place p = place_of(frame, root); p.in_root) return p;
  }
  if (Place p = place_of(f.created_by, root); p.in_root || !stuck.frame) return p;
  return stuck;
}

}  // namespace finding_words

}  // namespace weir::profiler
