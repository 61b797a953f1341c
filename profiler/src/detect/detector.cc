// Detector (detector.h): what is proven, and what growth or age says of the rest.
#include <weir/profiler/detector.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <weir/profiler/sites.h>

#include "causes.h"
#include "encode.h"
#include "pattern.h"

namespace weir::profiler {

namespace {

using causes::Description;
using causes::Suspicion;

// A wait of a pattern that leaks is suspect by its age alone from here on: longer than the time
// limits that requests, retries and shutdowns have in practice.
constexpr int64_t kOld_ns = 60'000'000'000;
// A single snapshot knows no growth: so many goroutines in one place of a plain pattern are more
// than pools have in practice, and that many is LeakProf's own threshold (CGO 2024).
constexpr uint64_t kMany = 10'000;

class Ignore {
 public:
  explicit Ignore(const DetectOptions& options) {
    for (const std::string& text : options.ignore) patterns_.emplace_back("ignore", text);
  }
  bool matches(const Finding& f) const {
    return std::any_of(patterns_.begin(), patterns_.end(), [&f](const Pattern& p) {
      const auto in = [&p](const Frame& frame) {
        return p.matches(frame.function) || p.matches(frame.file);
      };
      return in(f.created_by) || in(f.blocked_at) ||
             std::any_of(f.stack.begin(), f.stack.end(), in);
    });
  }

 private:
  std::vector<Pattern> patterns_;
};

std::string key_of(const Finding& f) {
  return std::to_string(f.site) + " " + std::string(to_string(f.kind));
}

void describe_source(const Snapshot& s, Findings& out) {
  if (s.truncated) out.notes.push_back("The dump was cut off: there were more goroutines.");
  if (s.left_out > 0) {
    out.notes.push_back("A filter left out " + std::to_string(s.left_out) + " goroutines.");
  }
}

Findings begin(const Snapshot& s) {
  Findings out;
  out.target = s.process;
  out.taken_at_ns = s.taken_at_ns;
  for (const Group& g : s.groups) {
    out.goroutines = encode::saturating_add(out.goroutines, g.count);
  }
  describe_source(s, out);
  return out;
}

// Age alone, or number alone.
std::optional<std::string> old_or_many(const Finding& f, Suspicion suspicion) {
  if (suspicion == Suspicion::strong && f.oldest_wait_ns >= kOld_ns) {
    return "The longest wait here has lasted for more than a minute, which waits of this pattern "
           "do not outlive when they end at all.";
  }
  if ((suspicion == Suspicion::strong || suspicion == Suspicion::plain) && f.count >= kMany) {
    return std::to_string(f.count) +
           " goroutines are blocked in one place: 10000 and more are a leak as a rule.";
  }
  return std::nullopt;
}

}  // namespace

Findings detect(const Snapshot& s, const DetectOptions& options) {
  Detector d(options);
  d.observe(s, 0);
  return d.findings();
}

Detector::Detector(const DetectOptions& options, const HistoryOptions& history)
    : options_(options), history_(history) {
  (void)Ignore(options_);  // throws where an expression is not one
}

void Detector::observe(const Snapshot& s, int64_t at_ns) {
  const Sites sites(s);
  history_.add(s, sites, at_ns);
  const Ignore ignore(options_);
  Findings out = begin(s);
  std::unordered_set<uint64_t> told;  // sites: what is proven of one is all that is said of it
  const auto add = [&](Finding f, const Growth& growth) {
    told.insert(f.site);
    told.insert(f.other_sites.begin(), f.other_sites.end());
    if (ignore.matches(f)) return;
    f.growth_per_minute = growth.per_minute;
    out.findings.push_back(std::move(f));
  };

  for (Finding& f : causes::proven(s, sites)) {
    const Growth growth = history_.growth(f.site);
    add(std::move(f), growth);
  }
  std::unordered_map<uint64_t, Growth> growing;
  for (Growth& g : history_.growths()) growing.emplace(g.site, std::move(g));
  for (const Site& site : sites.all()) {
    if (told.contains(site.id)) continue;
    const auto growth = growing.find(site.id);
    const Suspicion suspicion = causes::suspicion(s, site);
    if (suspicion == Suspicion::healthy) continue;
    if (suspicion == Suspicion::weak &&
        (growth == growing.end() || growth->second.verdict != Certainty::likely)) {
      continue;
    }
    int64_t oldest = -1;
    for (const uint32_t g : site.groups) oldest = std::max(oldest, s.groups[g].oldest_ns);
    if (growth == growing.end() && site.count < kMany &&
        (suspicion != Suspicion::strong || oldest < kOld_ns)) {
      continue;  // without the cost of words
    }
    Finding f = causes::describe(s, site).finding;
    if (growth == growing.end()) {
      auto why = old_or_many(f, suspicion);
      if (!why) continue;
      f.evidence.push_back(std::move(*why));
      f.certainty = Certainty::suspect;
      add(std::move(f), history_.growth(site.id));
    } else {
      const Growth& g = growth->second;
      f.certainty = suspicion == Suspicion::weak ? Certainty::suspect : *g.verdict;
      f.evidence.insert(f.evidence.end(), g.evidence.begin(), g.evidence.end());
      add(std::move(f), g);
    }
  }

  std::unordered_map<std::string, Seen> seen;
  for (Finding& f : out.findings) {
    Seen now{s.taken_at_ns, f.count};
    if (const auto known = seen_.find(key_of(f)); known != seen_.end()) {
      now.first_ns = std::min(now.first_ns, known->second.first_ns);
      now.peak = std::max(now.peak, known->second.peak);
    }
    f.first_seen_ns = now.first_ns;
    f.last_seen_ns = s.taken_at_ns;
    f.peak = now.peak;
    seen.emplace(key_of(f), now);
  }
  seen_ = std::move(seen);
  sort_findings(out.findings);
  findings_ = std::move(out);
}

}  // namespace weir::profiler
