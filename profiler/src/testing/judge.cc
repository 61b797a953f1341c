// Judging (judge.h): what the detectors know of causes, said of goroutines that have outlived their
// scope.
#include "judge.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/profiler/sites.h>

#include "detect/causes.h"
#include "encode.h"
#include "frames.h"
#include "prune.h"
#include "roomy_stack.h"
#include "wait_facts.h"

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

// Those that causes::proven has told of.
std::unordered_set<uint64_t> proven_ones(const Snapshot& s) {
  const profiler::WaitFacts facts(s, profiler::WaitFacts::Scope::locks);
  std::unordered_set<uint64_t> goids;
  for (const Group& g : s.groups) {
    for (const Member& m : g.members) {
      if (g.leaked || facts.stuck(g, m) != profiler::WaitFacts::Stuck::no) goids.insert(m.goid);
    }
  }
  return goids;
}

// Each goroutine in one of them.
std::vector<Finding> find(Snapshot s) {
  std::vector<Finding> findings = profiler::causes::proven(s, profiler::Sites(s));
  keep_only(s, [out = proven_ones(s)](uint64_t goid) { return !out.contains(goid); });
  const profiler::Sites sites(s);
  for (const profiler::Site& site : sites.all()) {
    auto [finding, suspicion] = profiler::causes::describe(s, site);
    finding.certainty = suspicion >= Suspicion::plain ? Certainty::likely : Certainty::suspect;
    findings.push_back(std::move(finding));
  }
  return findings;
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
  const int64_t taken_at_ns = s.taken_at_ns;
  std::vector<Finding>& findings = leaks.findings.findings;
  findings = find(std::move(s));
  for (Finding& f : findings) {
    f.first_seen_ns = f.last_seen_ns = taken_at_ns;
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
