#include "matches.h"

#include <algorithm>
#include <utility>

#include <weir/profiler/filter.h>

namespace weir::tools::top {

namespace {

using profiler::Frame;
using profiler::Snapshot;

uint32_t add_location(Snapshot& s, const Frame& f) {
  if (f.function.empty()) return profiler::kNone;
  s.frames.push_back(f);
  s.frames.back().runtime = false;  // a finding shows all of its frames
  s.locations.push_back({s.locations.size() + 1, 0, {static_cast<uint32_t>(s.frames.size() - 1)}});
  return static_cast<uint32_t>(s.locations.size() - 1);
}

// A snapshot with a group for each finding, which has what is shown of it.
Snapshot as_groups(const profiler::Findings& findings) {
  Snapshot s;
  for (const profiler::Finding& f : findings.findings) {
    profiler::Group& g = s.groups.emplace_back();
    g.count = 1;
    g.wait_reason = f.wait;
    g.created_by = add_location(s, f.created_by);
    g.stack = static_cast<uint32_t>(s.stacks.size());
    profiler::Stack& stack = s.stacks.emplace_back();
    stack.locations.reserve(f.stack.size() + 1);
    for (const Frame& frame : f.stack) {
      if (frame.function.empty()) continue;
      stack.locations.push_back(add_location(s, frame));
    }
    const std::string kind(profiler::to_string(f.kind));
    g.labels = {{"certainty", std::string(profiler::to_string(f.certainty))},
                {"kind", kind},
                {"object", f.object.kind},
                {"url", f.object.url}};
  }
  return s;
}

// The numbers of the groups that the filter leaves. It passes on what a group has: the time that
// nobody looks at is its number here.
std::vector<uint32_t> left_of(Snapshot s, const std::string& filter) {
  for (size_t i = 0; i < s.groups.size(); ++i) s.groups[i].wait_ns = static_cast<int64_t>(i);
  std::vector<uint32_t> numbers;
  for (const profiler::Group& g : profiler::filter(std::move(s), {.query = filter}).groups) {
    numbers.push_back(static_cast<uint32_t>(g.wait_ns));
  }
  std::ranges::sort(numbers);
  return numbers;
}

}  // namespace

std::unordered_set<uint64_t> matching_sites(const Sample& sample, const std::string& filter) {
  std::unordered_set<uint64_t> ids;
  ids.reserve(sample.rows.size());
  if (filter.empty()) {
    for (const Row& row : sample.rows) ids.insert(row.site);
    return ids;
  }
  for (const uint32_t g : left_of(*sample.snapshot, filter)) ids.insert(sample.site_of_group[g]);
  return ids;
}

std::vector<uint32_t> matching_findings(const profiler::Findings& findings,
                                        const std::string& filter) {
  return left_of(as_groups(findings), filter);
}

}  // namespace weir::tools::top
