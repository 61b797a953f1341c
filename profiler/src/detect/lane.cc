// Lane (lane.h).
#include "lane.h"

#include <algorithm>
#include <span>
#include <tuple>
#include <utility>

#include "encode.h"

namespace weir::profiler {

namespace {

using residents::Identity;
using residents::kMaxTick;
using residents::Seen;
using survival::kTick_ns;
using survival::Tick;

// Waits may have begun before the first sample: so long, 310 days.
constexpr Tick kPast = kMaxTick / 2;
// Goroutines that are followed by id: 8 bytes each, twice during add.
constexpr uint64_t kMaxResidents = uint64_t{1} << 20;
// How inexact the times of samples and ages are at best: both are rounded to ticks.
constexpr Tick kBlur = 2;
constexpr int64_t kMinute_ns = 60'000'000'000;
// A site that has been empty for so long is not known any more: what happens once a week is.
constexpr int64_t kEmpty_ns = int64_t{8} * 24 * 60 * kMinute_ns;

// Samples from one look for such sites to the next.
constexpr uint64_t kPurgeEvery = 64;

uint32_t narrow(uint64_t n) { return static_cast<uint32_t>(std::min<uint64_t>(n, UINT32_MAX)); }

// Of the capture. What a dump says may be anything.
int64_t duration_of(const Snapshot& s) { return std::clamp<int64_t>(s.duration_ns, 0, kMinute_ns); }

bool is_exact(const Snapshot& s) { return s.source == "weir"; }

// A wait that a timer ends: it is short and comes again.
bool has_timer(const Snapshot& s, const Group& g) {
  if (g.members.empty()) return false;
  const Member& m = g.members.front();
  if (size_t{m.first_object} + m.object_count > s.objects.size()) return false;
  const auto objects = std::span(s.objects).subspan(m.first_object, m.object_count);
  return std::any_of(objects.begin(), objects.end(), [](const Object& o) { return o.timer; });
}

Identity identity_of(const Snapshot& s, const Site& site) {
  const bool is_restless = std::any_of(site.groups.begin(), site.groups.end(), [&s](uint32_t i) {
    const Group& g = s.groups[i];
    return !encode::is_blocked(g.state) || g.wait_reason == "sleep" || has_timer(s, g);
  });
  return is_restless ? Identity::goroutine : is_exact(s) ? Identity::wait : Identity::minutes;
}

bool has_members(const Snapshot& s, const Site& site) {
  return std::all_of(site.groups.begin(), site.groups.end(),
                     [&s](uint32_t i) { return s.groups[i].members.size() == s.groups[i].count; });
}

}  // namespace

Lane::Census Lane::take_census(const Snapshot& s) {
  Census c;
  for (const Group& g : s.groups) {
    c.goroutines = encode::saturating_add(c.goroutines, g.count);
    c.members += g.members.size();
    if (!g.members.empty()) c.max_goid = std::max(c.max_goid, g.members.back().goid);
    c.oldest_ns = std::max(c.oldest_ns, encode::wait_of(g).longest);
  }
  return c;
}

Tick Lane::tick(int64_t at_ns) const {
  return kPast + static_cast<Tick>((at_ns - origin_ns_) / kTick_ns);
}

bool Lane::has_time_for(int64_t at_ns) const {
  return (at_ns - origin_ns_) / kTick_ns < int64_t{kMaxTick - kPast};
}

int64_t Lane::time_of(Tick tick) const {
  return origin_ns_ + (int64_t{tick} - int64_t{kPast}) * kTick_ns;
}

const Lane::Record* Lane::find(uint64_t site) const {
  const auto found = records_.find(site);
  return found == records_.end() ? nullptr : &found->second;
}

// Pids are used again, and in a container every program is number 1. So the same one says nothing;
// but a wait that began before the last sample does, and goids, which rise as long as a process
// lives: the highest falls only when the newest goroutine goes and no other comes.
bool Lane::is_new_process(const Snapshot& s, const Census& census, int64_t at_ns) const {
  if (samples_ == 0) return true;
  if (pid_ != 0 && s.pid != 0 && pid_ != s.pid) return true;
  if (!process_.empty() && !s.process.empty() && process_ != s.process) return true;
  if (census.members == 0 || census_.members == 0) return false;
  const int64_t blur_ns = is_exact(s) ? duration_ns_ + duration_of(s) + kTick_ns : kMinute_ns;
  if (census.oldest_ns > at_ns - at_ns_ + blur_ns) return false;
  // Where nobody's wait was known to be long before either, only ids that start from the beginning
  // again say it.
  const bool were_old = census_.oldest_ns > blur_ns;
  return census.max_goid < (were_old ? census_.max_goid : census_.max_goid / 2);
}

void Lane::begin_anew(Tick now) {
  samples_ = 0;
  share_ = 0;
  residents_.clear();
  for (auto& [id, record] : records_) {
    record.first = record.many = record.count = 0;
    record.ladder.begin_anew(now);
  }
}

bool Lane::is_followed(uint32_t goid) const {
  return share_ == 0 || (goid * 0x9e3779b97f4a7c15) >> (64 - share_) == 0;
}

void Lane::follow_fewer(uint64_t members) {
  const uint32_t share = share_;
  while (members >> share_ > kMaxResidents) ++share_;
  if (share_ == share) return;
  for (auto& [id, record] : records_) {
    const auto begin = residents_.begin() + record.first;
    const auto end = std::remove_if(begin, begin + record.many,
                                    [this](const auto& r) { return !is_followed(r.goid); });
    record.many = static_cast<uint32_t>(end - begin);
  }
}

void Lane::admit(const Sites& sites, const Snapshot& s, size_t max_sites) {
  if (timeline_.samples() % kPurgeEvery == 0) {
    std::erase_if(records_, [this](const auto& entry) {
      return entry.second.count == 0 && at_ns_ - entry.second.last_ns > kEmpty_ns;
    });
  }
  // Who is known stays before who is not, if they are as many now; then who was there last.
  struct Candidate {
    uint64_t id = 0, count = 0;
    const Site* fresh = nullptr;  // null: it is known
    int64_t last_ns = 0;
    auto rank() const { return std::tuple(count, fresh == nullptr, last_ns, id); }
  };
  std::vector<Candidate> candidates;
  const auto all = sites.all().first(std::min(sites.all().size(), max_sites));  // the largest
  for (const Site& site : all) {
    if (!records_.contains(site.id)) candidates.push_back({site.id, site.count, &site, at_ns_});
  }
  if (records_.size() + candidates.size() > max_sites) {
    std::unordered_map<uint64_t, uint64_t> counts;
    for (const Site& site : all) counts.emplace(site.id, site.count);
    for (const auto& [id, record] : records_) {
      const auto now = counts.find(id);
      candidates.push_back({id, now == counts.end() ? 0 : now->second, nullptr, record.last_ns});
    }
    std::sort(candidates.begin(), candidates.end(),
              [](const Candidate& a, const Candidate& b) { return a.rank() > b.rank(); });
    for (size_t i = max_sites; i < candidates.size(); ++i) records_.erase(candidates[i].id);
    candidates.resize(max_sites);
  }
  for (const Candidate& c : candidates) {
    if (!c.fresh) continue;
    Record& record = records_[c.id];
    record.identity = identity_of(s, *c.fresh);
    record.born = timeline_.samples() - 1;
    record.first_ns = record.last_ns = at_ns_;
  }
}

void Lane::look(Record& record, const Site* site, const Snapshot& s,
                const residents::Times& times) {
  const uint64_t count = site ? site->count : 0;
  const bool was_counted = record.counted;
  if (site) record.counted = !has_members(s, *site);
  survival::Turnover turnover;
  const auto first = static_cast<uint32_t>(next_.size());
  if (record.counted) {
    turnover.present[0] = narrow(count);
    const uint32_t now = turnover.present[0], before = was_counted ? record.count : 0;
    (times.first ? turnover.found : turnover.joined)[0] = now > before ? now - before : 0;
    turnover.left[0] = before > now ? before - now : 0;
  } else {
    seen_.clear();
    if (site) {
      for (const uint32_t g : site->groups) {
        for (const Member& m : s.groups[g].members) {
          const auto goid = static_cast<uint32_t>(m.goid);
          if (is_followed(goid)) seen_.push_back({goid, m.since_ns});
        }
      }
    }
    const auto by_goid = [](const Seen& a, const Seen& b) { return a.goid < b.goid; };
    if (!std::is_sorted(seen_.begin(), seen_.end(), by_goid)) {
      std::sort(seen_.begin(), seen_.end(), by_goid);
    }
    const auto before = std::span(residents_).subspan(record.first, record.many);
    turnover = residents::turn_over(before, seen_, record.identity, times, next_);
  }
  record.first = first;
  record.many = static_cast<uint32_t>(next_.size()) - first;
  record.ladder.step(turnover, times.now, times.first ? 0 : times.now - times.before);
  record.count = narrow(count);
  record.peak = std::max(record.peak, record.count);
  if (count > 0) record.last_ns = at_ns_;
  record.updated = timeline_.samples();
  timeline_.record(record.rings, record.count);
}

void Lane::add(const Snapshot& s, const Sites& sites, int64_t at_ns, size_t max_sites) {
  const Census census = take_census(s);
  residents::Times times;
  times.now = tick(at_ns);
  times.first = is_new_process(s, census, at_ns);
  times.before = times.first ? times.now : tick(at_ns_);
  times.blur = kBlur + static_cast<Tick>((duration_ns_ + duration_of(s)) / kTick_ns);
  times.minutes = census.oldest_ns >= kMinute_ns;
  if (times.first) begin_anew(times.now);
  follow_fewer(census.members);

  at_ns_ = at_ns;
  timeline_.add(at_ns);
  ++samples_;
  admit(sites, s, max_sites);
  next_.clear();
  next_.reserve(census.members >> share_);
  size_t present = 0;
  for (const Site& site : sites.all()) {
    const auto record = records_.find(site.id);
    if (record == records_.end()) continue;
    look(record->second, &site, s, times);
    ++present;
  }
  if (present < records_.size()) {
    for (auto& [id, record] : records_) {
      if (record.updated != timeline_.samples()) look(record, nullptr, s, times);
    }
  }
  residents_.swap(next_);
  timeline_.record(total_, narrow(census.goroutines));
  census_ = census;
  process_ = s.process;
  pid_ = s.pid;
  duration_ns_ = duration_of(s);
}

size_t Lane::bytes() const {
  size_t bytes = sizeof *this + (residents_.capacity() + next_.capacity()) * sizeof(residents_[0]) +
                 seen_.capacity() * sizeof(Seen);
  // A node has a pointer beside its pair; malloc adds its own word.
  constexpr size_t kNode = sizeof(std::pair<const uint64_t, Record>) + 3 * sizeof(void*);
  bytes += records_.bucket_count() * sizeof(void*);
  for (const auto& [id, record] : records_) bytes += kNode + record.ladder.bytes();
  return bytes;
}

}  // namespace weir::profiler
