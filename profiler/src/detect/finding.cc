// Findings (finding.h): names, order, and which are left out.
#include <weir/profiler/finding.h>

#include <algorithm>
#include <array>

#include "pattern.h"

namespace weir::profiler {

namespace {

constexpr std::array<std::string_view, kKinds> kNames = {
    "nil_channel", "chan_send",       "chan_receive",
    "select",      "select_no_cases", "mutex_forgotten_unlock",
    "mutex",       "rwmutex",         "waitgroup",
    "cond",        "semaphore",       "http_body",
    "spinning",    "sleep",           "io_wait",
    "syscall",     "deadlock"};
constexpr std::array<std::string_view, kCertainties> kCertaintyNames = {"suspect", "likely",
                                                                        "certain"};

}  // namespace

std::string_view to_string(Kind k) noexcept {
  const auto i = static_cast<size_t>(k);
  return i < kNames.size() ? kNames[i] : "";
}

std::optional<Kind> kind_named(std::string_view name) noexcept {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Kind>(found - kNames.begin());
}

std::string_view to_string(Certainty c) noexcept {
  const auto i = static_cast<size_t>(c);
  return i < kCertaintyNames.size() ? kCertaintyNames[i] : "";
}

void sort_findings(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    if (a.certainty != b.certainty) return a.certainty > b.certainty;
    if (a.growth_per_minute != b.growth_per_minute) {
      return a.growth_per_minute > b.growth_per_minute;
    }
    if (a.count != b.count) return a.count > b.count;
    return a.site != b.site ? a.site < b.site : a.kind < b.kind;
  });
}

void leave_out(std::vector<Finding>& findings, const std::vector<std::string>& ignore) {
  std::vector<Pattern> patterns;
  for (const std::string& text : ignore) patterns.emplace_back("ignore", text);
  std::erase_if(findings, [&patterns](const Finding& f) {
    return std::any_of(patterns.begin(), patterns.end(), [&f](const Pattern& p) {
      const auto in = [&p](const Frame& frame) {
        return p.matches(frame.function) || p.matches(frame.file);
      };
      return in(f.created_by) || in(f.blocked_at) ||
             std::any_of(f.stack.begin(), f.stack.end(), in);
    });
  });
}

}  // namespace weir::profiler
