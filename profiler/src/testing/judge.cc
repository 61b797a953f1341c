// Judging (judge.h): what the detectors know of causes, said of goroutines that have outlived their
// scope.
#include "judge.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/profiler/sites.h>

#include "detect/causes.h"
#include "encode.h"
#include "frames.h"
#include "prune.h"
#include "roomy_stack.h"

namespace weir::testing {

namespace {

using profiler::Certainty;
using profiler::Finding;
using profiler::Frame;
using profiler::Group;
using profiler::Member;
using profiler::Snapshot;
using profiler::causes::Suspicion;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_ignored(const Snapshot& s, const Group& g, const Scope& scope) {
  const LeakOptions& o = scope.options;
  const auto matches = [&scope](const Frame& f) {
    return scope.ignore && (scope.ignore->matches(f.function) || scope.ignore->matches(f.file));
  };
  if (contains(o.ignore_top_function, profiler::blocked_at(s, g).function)) return true;
  const Frame* creator = profiler::encode::creator_frame(s, g.created_by);
  if (creator && (contains(o.ignore_created_by, creator->function) || matches(*creator))) {
    return true;
  }
  const std::vector<Frame> frames = profiler::shown_frames_of(s, g);
  return std::ranges::any_of(frames, [&](const Frame& f) {
    return contains(o.ignore_any_function, f.function) || matches(f);
  });
}

std::unordered_set<uint64_t> ignored(const Snapshot& s, const Scope& scope) {
  std::unordered_set<uint64_t> goids;
  if (!scope.has_patterns()) return goids;
  for (const Group& g : s.groups) {
    if (!is_ignored(s, g, scope)) continue;
    for (const Member& m : g.members) goids.insert(m.goid);
  }
  return goids;
}

// Leaves those goroutines alone that `wanted` chooses.
template <class Wanted>
void keep_only(Snapshot& s, Wanted wanted) {
  uint64_t all = 0, kept = 0;
  for (Group& g : s.groups) {
    all += g.count;
    std::erase_if(g.members, [&](const Member& m) { return !wanted(m.goid); });
    g.count = g.members.size();
    kept += g.count;
    g.wait_ns = g.oldest_ns = -1;
    for (const Member& m : g.members) {
      if (m.since_ns < 0) continue;
      g.wait_ns = std::max<int64_t>(g.wait_ns, 0) + m.since_ns;
      g.oldest_ns = std::max(g.oldest_ns, m.since_ns);
    }
  }
  std::erase_if(s.groups, [](const Group& g) { return g.count == 0; });
  std::ranges::stable_sort(s.groups, std::ranges::greater(), &Group::count);
  s.total = kept;
  s.left_out += all - kept;
  profiler::prune(s);
}

std::string seconds(std::chrono::nanoseconds ns) {
  std::string text;
  profiler::encode::append_duration(text, ns.count() / 1'000'000 * 1'000'000);
  return text;
}

// What is proven of a site says it all, but for those whose wait is not proven.
void describe_site(const Snapshot& s, const profiler::Site& site, uint64_t proven,
                   std::vector<Finding>& findings) {
  if (proven >= site.count) return;
  if (proven > 0) {
    const auto said = std::ranges::find(findings, site.id, &Finding::site);
    said->evidence.push_back("At the same place, " + std::to_string(site.count - proven) +
                             " more were left behind, of which that is not proven.");
    return;
  }
  auto [finding, suspicion] = profiler::causes::describe(s, site);
  finding.certainty = suspicion >= Suspicion::plain ? Certainty::likely : Certainty::suspect;
  findings.push_back(std::move(finding));
}

Leaks judge_here(const Scope& scope, const std::function<bool(uint64_t)>& is_left,
                 std::chrono::nanoseconds waited) {
  Snapshot s = profiler::capture();
  const auto out = ignored(s, scope);
  keep_only(s, [&](uint64_t goid) { return is_left(goid) && !out.contains(goid); });

  Leaks leaks;
  leaks.waited_ns = waited.count();
  leaks.findings.target = scope.options.name.empty() ? s.process : scope.options.name;
  leaks.findings.taken_at_ns = s.taken_at_ns;
  leaks.findings.goroutines = s.total;
  std::vector<Finding>& findings = leaks.findings.findings;
  const profiler::Sites sites(s);
  findings = profiler::causes::proven(s, sites);
  std::unordered_map<uint64_t, uint64_t> proven;  // site -> goroutines
  for (const Finding& f : findings) proven[f.site] += f.count;
  for (const profiler::Site& site : sites.all()) {
    describe_site(s, site, proven[site.id], findings);
  }
  for (Finding& f : findings) {
    f.first_seen_ns = f.last_seen_ns = s.taken_at_ns;
    f.peak = f.count;
    f.evidence.push_back("Still there after " + seconds(waited) + " of waiting for the end.");
  }
  profiler::sort_findings(findings);
  return leaks;
}

}  // namespace

std::unordered_set<uint64_t> ignored(const Scope& scope) {
  return profiler::on_roomy_stack(
      [&] { return ignored(profiler::capture({.detail = profiler::Detail::members}), scope); });
}

Leaks judge(const Scope& scope, const std::function<bool(uint64_t)>& is_left,
            std::chrono::nanoseconds waited) {
  return profiler::on_roomy_stack([&] { return judge_here(scope, is_left, waited); });
}

}  // namespace weir::testing
