// Detector (detector.h): what is proven, and what growth or age says of the rest.
#include <weir/profiler/detector.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <weir/profiler/sites.h>

#include "causes.h"
#include "encode.h"

namespace weir::profiler {

namespace {

using causes::Suspicion;

// A wait of a pattern that leaks is suspect by its age alone from here on: longer than the time
// limits that requests, retries and shutdowns have in practice.
constexpr int64_t kOld_ns = 60'000'000'000;
// Who runs for so long without a call into the runtime keeps a processor from all others: ten times
// what a computation should take that others wait for.
constexpr int64_t kLongRun_ns = 10'000'000'000;
// A single snapshot knows no growth: so many goroutines in one place of a plain pattern are more
// than pools have in practice, and that many is LeakProf's own threshold (CGO 2024).
constexpr uint64_t kMany = 10'000;

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

// What makes a site suspect without growth.
struct Age {
  bool runs = false;    // its goroutines run, rather than wait
  bool is_old = false;  // the oldest does so for too long
  bool is_many = false;

  Age(const Snapshot& s, const Site& site) : is_many(site.count >= kMany) {
    int64_t oldest = -1;
    for (const uint32_t g : site.groups) oldest = std::max(oldest, s.groups[g].oldest_ns);
    runs = s.groups[site.groups.front()].state == State::running;
    is_old = oldest >= (runs ? kLongRun_ns : kOld_ns);
  }
};

const char* why_suspect(const Age& age, Suspicion suspicion) {
  if (age.is_old && suspicion == Suspicion::strong) {
    return age.runs ? "More than 10 seconds without a call are a loop without an end, or a "
                      "computation that should yield."
                    : "Waits of this pattern do not outlast a minute when they end at all.";
  }
  if (age.is_many && suspicion >= Suspicion::plain) {
    return "10000 and more goroutines that are blocked in one place are a leak as a rule.";
  }
  return nullptr;
}

// Of a site of which nothing is proven. `growth`: null, or with a verdict.
std::optional<Finding> judge(const Snapshot& s, const Site& site, const Growth* growth) {
  const Age age(s, site);
  if (!growth && !age.is_old && !age.is_many) return std::nullopt;  // most are: it costs nothing
  const Suspicion suspicion = causes::suspicion(s, site);
  if (suspicion == Suspicion::healthy) return std::nullopt;
  // Where long waits are usual, growth has to be beyond doubt to make it suspect.
  if (suspicion == Suspicion::weak && (!growth || growth->verdict != Certainty::likely)) {
    return std::nullopt;
  }
  const char* const why = growth ? nullptr : why_suspect(age, suspicion);
  if (!growth && !why) return std::nullopt;
  Finding f = causes::describe(s, site).finding;
  f.certainty = growth && suspicion != Suspicion::weak ? *growth->verdict : Certainty::suspect;
  if (why) f.evidence.emplace_back(why);
  if (growth && growth->may_fill && suspicion == Suspicion::plain && causes::may_idle(f.kind)) {
    f.certainty = Certainty::suspect;
    f.evidence.emplace_back(
        "The program has been watched for less than ten minutes: these may be workers or sessions "
        "that it begins with.");
  }
  if (growth) {
    f.evidence.insert(f.evidence.end(), growth->evidence.begin(), growth->evidence.end());
  }
  return f;
}

}  // namespace

Findings detect(const Snapshot& s, const DetectOptions& options) {
  Detector d(options);
  d.observe(s, 0);
  return d.findings();
}

Detector::Detector(const DetectOptions& options, const HistoryOptions& history)
    : options_(options), history_(history) {
  std::vector<Finding> none;
  leave_out(none, options_.ignore);  // throws where an expression is not one
}

void Detector::observe(const Snapshot& s, int64_t at_ns) {
  const Sites sites(s);
  history_.add(s, sites, at_ns);
  Findings out = begin(s);
  out.findings = causes::proven(s, sites);
  for (std::string& note : causes::notes(s)) out.notes.push_back(std::move(note));
  std::unordered_set<uint64_t> told;  // what is proven of a site is all that is said of it
  for (const Finding& f : out.findings) {
    told.insert(f.site);
    told.insert(f.other_sites.begin(), f.other_sites.end());
  }
  std::unordered_map<uint64_t, Growth> growing;
  for (Growth& g : history_.growths()) growing.emplace(g.site, std::move(g));
  for (const Site& site : sites.all()) {
    if (told.contains(site.id)) continue;
    const auto growth = growing.find(site.id);
    if (auto f = judge(s, site, growth == growing.end() ? nullptr : &growth->second)) {
      out.findings.push_back(*std::move(f));
    }
  }
  leave_out(out.findings, options_.ignore);
  for (Finding& f : out.findings) {
    const auto growth = growing.find(f.site);
    if (growth != growing.end()) f.growth_per_minute = growth->second.per_minute;
  }
  remember(s, out);
  sort_findings(out.findings);
  if (out.findings.size() >= Findings::kMost) {
    out.findings.resize(Findings::kMost);
    out.notes.push_back("There may be more than these " + std::to_string(Findings::kMost) +
                        " findings: the lesser ones are left out.");
  }
  findings_ = std::move(out);
}

// Since when, and the most there were; of who is gone nothing is kept.
void Detector::remember(const Snapshot& s, Findings& found) {
  std::unordered_map<std::string, Seen> seen;
  for (Finding& f : found.findings) {
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
}

}  // namespace weir::profiler
