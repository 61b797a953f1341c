// What the ticker says (report.h).

#include "report.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace zoo {

namespace {

using weir::profiler::Frame;
using weir::profiler::Snapshot;
using weir::profiler::State;

// The innermost function that is not weir's own.
const Frame* blocking_frame(const Snapshot& s, const weir::profiler::Group& g) {
  for (uint32_t location : s.stacks[g.stack].locations) {
    for (uint32_t frame : s.locations[location].frames) {
      if (!s.frames[frame].runtime) return &s.frames[frame];
    }
  }
  return nullptr;
}

std::string state_of(const weir::profiler::Group& g) {
  if (g.state == State::waiting) return g.wait_reason;
  return g.state == State::running ? "running" : "runnable";
}

std::string place(const Frame& f) {
  std::string file = f.file.substr(f.file.rfind('/') + 1);
  return f.function + (file.empty() ? "" : " (" + file + ":" + std::to_string(f.line) + ")");
}

}  // namespace

std::string summary(const Snapshot& s) {
  constexpr size_t kLargest = 3;
  std::map<std::string, uint64_t> counts;
  for (const auto& g : s.groups) {
    if (g.thread) continue;
    const Frame* f = blocking_frame(s, g);
    counts[state_of(g) + (f ? " in " + place(*f) : "")] += g.count;
  }
  std::vector<std::pair<std::string, uint64_t>> largest(counts.begin(), counts.end());
  std::stable_sort(largest.begin(), largest.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string line = std::to_string(s.total) + " goroutines";
  for (size_t i = 0; i < largest.size() && i < kLargest; i++) {
    line += (i == 0 ? ": " : "; ") + std::to_string(largest[i].second) + " x " + largest[i].first;
  }
  return line;
}

std::string Findings::news(const Snapshot& s, int64_t at_ns) {
  detector_.observe(s, at_ns);
  std::string lines;
  for (const weir::profiler::Finding& f : detector_.findings().findings) {
    const auto [known, is_new] = told_.try_emplace({f.site, f.kind}, f.certainty);
    if (!is_new && f.certainty <= known->second) continue;
    known->second = f.certainty;
    lines.append("  leak, ").append(to_string(f.certainty)).append(": ");
    lines.append(to_string(f.kind)).append(": ").append(f.cause);
    if (!f.blocked_at.function.empty()) lines.append(" In ").append(place(f.blocked_at));
    if (!f.created_by.function.empty()) lines.append(", made by ").append(place(f.created_by));
    lines.append("\n");
  }
  return lines;
}

}  // namespace zoo
