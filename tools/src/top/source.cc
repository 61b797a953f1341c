#include "source.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

#include <weir/profiler/sites.h>

#include "../failure.h"

namespace weir::tools::top {

namespace {

using profiler::Frame;
using profiler::Snapshot;

constexpr const char* kDebug1 = "/debug/pprof/goroutine?debug=1";
constexpr const char* kDebug2 = "/debug/pprof/goroutine?debug=2";

uint64_t goroutines(const Snapshot& s) {
  uint64_t n = 0;
  for (const profiler::Group& g : s.groups) n += g.count;
  return n;
}

// The outermost function of a group that is not the runtime's: what its `go` named.
std::string entry_of(const Snapshot& s, const profiler::Group& g) {
  if (g.stack >= s.stacks.size()) return {};
  const std::vector<uint32_t>& locations = s.stacks[g.stack].locations;
  for (auto location = locations.rbegin(); location != locations.rend(); ++location) {
    if (*location >= s.locations.size()) continue;
    const std::vector<uint32_t>& frames = s.locations[*location].frames;
    for (auto f = frames.rbegin(); f != frames.rend(); ++f) {
      if (*f < s.frames.size() && !s.frames[*f].runtime) return s.frames[*f].function;
    }
  }
  return {};
}

int64_t wall_now_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

// What the file is now, as far as that can be had without reading it.
std::string state_of(const std::string& file) {
  struct stat now {};
  if (stat(file.c_str(), &now) != 0) return "missing";
  return std::to_string(now.st_dev) + " " + std::to_string(now.st_ino) + " " +
         std::to_string(now.st_size) + " " + std::to_string(now.st_mtim.tv_sec) + " " +
         std::to_string(now.st_mtim.tv_nsec);
}

// The first word of a command line, without its directories.
std::string program_name(const std::string& cmdline) {
  const std::string first = cmdline.substr(0, cmdline.find('\0'));
  const size_t slash = first.rfind('/');
  return slash == first.npos ? first : first.substr(slash + 1);
}

// Findings and rows that are about the same goroutines have the same key. (Sites' ids tell kinds of
// objects apart, which not every format has.)
std::string key_of(const std::string& wait, const Frame& blocked_at, const Frame& created_by) {
  std::string key = wait;
  for (const Frame* f : {&blocked_at, &created_by}) {
    key.append("\n").append(f->function).append("\n").append(f->file);
    key.append("\n").append(std::to_string(f->line));
  }
  return key;
}

}  // namespace

Source::Source(std::string target, const FetchOptions& options)
    : target_(std::move(target)), options_(options) {
  if (!is_endpoint(target_)) return;
  get_ = [this](const std::string& path) { return get(target_, path, options_); };
}

Source::Source(Get get) : get_(std::move(get)) {}

Sample Source::take(int64_t at_ns) {
  const auto began = std::chrono::steady_clock::now();
  Sample sample;
  sample.at_ns = at_ns;
  if (!get_) {
    const std::string state = target_ == "-" ? "stdin" : state_of(target_);
    if (file_sample_ && state == file_state_) {
      file_sample_->at_ns = at_ns;
      return *file_sample_;
    }
    file_state_ = state;
  }
  Snapshot s = get_ ? endpoint_snapshot(sample) : file_snapshot(sample);
  // Go's text does not tell when it was written.
  if (get_ && s.taken_at_ns == 0) s.taken_at_ns = wall_now_ns();
  if (sample.origin == Origin::weir) {
    ask_weir(sample);
  } else {
    detect(s, sample);
  }
  if (get_) ask_program();
  sample.program = program_.value_or(s.process);
  digest(std::move(s), sample);
  const auto took = std::chrono::steady_clock::now() - began;
  sample.took_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(took).count();
  if (!get_) file_sample_ = sample;
  return sample;
}

Snapshot Source::endpoint_snapshot(Sample& to) {
  if (origin_ == Origin::go && !crowded_) {
    Snapshot s = parsed(get_(kDebug2), to);
    to.origin = Origin::go;
    crowded_ = goroutines(s) > kFewGoroutines;
    return s;
  }
  const std::string body = get_(kDebug1);
  Snapshot s = parsed(body, to);
  // weir's word beside Go's format tells who wrote it; so the endpoints that only weir has are
  // asked for only where they are.
  if (body.find("\n# state: ") != body.npos) {
    origin_ = Origin::weir;
  } else if (!origin_ && !s.groups.empty()) {
    origin_ = Origin::go;
    crowded_ = goroutines(s) > kFewGoroutines;
    if (!crowded_) {
      try {
        s = parsed(get_(kDebug2), to);
      } catch (const std::exception&) {
        crowded_ = true;  // not every server has it
      }
    }
  }
  to.origin = origin_.value_or(Origin::go);
  if (to.origin == Origin::go && crowded_) {
    to.notes.push_back(
        "counts only: Go would stop the program to tell waits and creators of so many");
  }
  return s;
}

Snapshot Source::file_snapshot(Sample& to) {
  to.origin = Origin::file;
  return parsed(fetch(target_, options_), to);
}

Snapshot Source::parsed(const std::string& body, Sample& to) const {
  to.bytes += body.size();
  return parse_dump(target_, body, options_);
}

void Source::ask_weir(Sample& to) {
  try {
    const std::string body = get_("/debug/sched?format=json");
    to.bytes += body.size();
    to.sched = read_sched(body);
    if (sched_) {
      to.restarted = to.sched->created < sched_->created;
      to.sched_rates = rates(*sched_, *to.sched);
    }
    sched_ = to.sched;
    if (to.restarted) counts_.clear();
  } catch (const std::exception& e) {
    to.sched_missing = e.what();
  }
  try {
    const std::string body = get_("/debug/leaks?format=json&limit=1000");
    to.bytes += body.size();
    to.findings = read_findings(body);
  } catch (const std::exception& e) {
    to.findings_missing = e.what();
  }
}

void Source::detect(const Snapshot& s, Sample& to) {
  detector_.observe(s, to.at_ns);
  to.findings = detector_.findings();
  to.sched_missing = to.origin == Origin::file ? "a file has none" : "a Go program has none";
}

void Source::ask_program() {
  if (program_) return;
  try {
    program_ = program_name(get_("/debug/pprof/cmdline"));
  } catch (const Failure&) {
    program_ = "";  // it is only a name
  }
}

void Source::digest(Snapshot s, Sample& to) {
  const profiler::Sites sites(s);
  std::vector<std::pair<uint64_t, uint64_t>> by_site;
  by_site.reserve(sites.all().size());
  for (const profiler::Site& site : sites.all()) by_site.emplace_back(site.id, site.count);
  counts_.add(to.at_ns, by_site);
  std::unordered_map<std::string, profiler::Certainty> leaks;  // the surest first
  for (const profiler::Finding& f : to.findings.findings) {
    leaks.try_emplace(key_of(f.wait, f.blocked_at, f.created_by), f.certainty);
  }
  to.rows.reserve(sites.all().size());
  for (const profiler::Site& site : sites.all()) {
    Row& row = to.rows.emplace_back();
    row.site = site.id;
    row.count = site.count;
    profiler::SiteNames names = profiler::names_of(s, site);
    row.wait = std::move(names.wait);
    row.blocked_at = std::move(names.blocked_at);
    row.created_by = std::move(names.created_by);
    const auto leak = leaks.find(key_of(row.wait, row.blocked_at, row.created_by));
    if (leak != leaks.end()) row.leak = leak->second;
    row.groups = site.groups;
    std::ranges::stable_sort(row.groups, std::ranges::greater{},
                             [&s](uint32_t g) { return s.groups[g].count; });
    const profiler::Group& largest = s.groups[row.groups.front()];
    row.thread = largest.thread;
    if (row.created_by.function.empty()) row.entry = entry_of(s, largest);
    for (const uint32_t g : row.groups) {
      row.oldest_ns = std::max(row.oldest_ns, s.groups[g].oldest_ns);
    }
    row.recent = counts_.of(site.id);
    row.per_minute = counts_.growth(row.recent);
  }
  for (uint32_t i = 0; i < s.groups.size(); ++i) {
    const profiler::Group& g = s.groups[i];
    to.site_of_group.push_back(sites.of_group(i).id);
    to.total += g.count;
    to.states[static_cast<size_t>(g.state) % Sample::kStates] += g.count;
    to.oldest_ns = std::max(to.oldest_ns, g.oldest_ns);
  }
  to.recent = counts_.total();
  to.per_minute = counts_.growth(to.recent);
  to.window_ns = counts_.span_ns();
  if (s.truncated) to.notes.push_back("the dump was cut off: there were more goroutines");
  // Nobody looks at single goroutines from here on.
  for (profiler::Group& g : s.groups) g.members = {};
  s.objects = {};
  to.snapshot = std::make_shared<const Snapshot>(std::move(s));
}

}  // namespace weir::tools::top
