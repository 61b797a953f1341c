// History (history.h): one lane for each source, and what their ladders and series say in words.
#include <weir/profiler/history.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string_view>
#include <utility>

#include <weir/profiler/sites.h>

#include "encode_text.h"
#include "lane.h"
#include "series.h"
#include "survival.h"
#include "trend.h"

namespace weir::profiler {

namespace {

using series::Block;
using survival::Judgement;
using survival::Sight;
using survival::Tick;

// In the year 2200: later times are not believed.
constexpr int64_t kLatest_ns = 7'258'118'400'000'000'000;
// Who asks one program in turns has two sources: texts and profiles.
constexpr size_t kMaxLanes = 2;
// Counts that only rise are those of a leak if they rise as independent arrivals do, whose variance
// is their mean. Where goroutines come and go, the rises vary much more than that.
constexpr double kMaxDispersion = 4;
constexpr size_t kMinSteps = 8;
// Mann-Kendall over the floor of counts that come and go. 10 000 sites are looked at, so it is much
// stricter than the usual 1 %; fewer points than these are not worth a look.
constexpr double kTrendChance = 1e-4;
constexpr size_t kTrendPoints = 12;
// Pools, caches and sessions of a program that has just started are there from one of the first
// samples on, and most have reached their size, or lose somebody, in so long.
constexpr uint64_t kFirstSamples = 5;
constexpr int64_t kFilling_ns = 600'000'000'000;
// And the floor has risen by so much.
constexpr double kTrendRise = 1.25, kTrendLeast = 6;
// Not in one step, as a pool that is resized: no step is more than this share of the rise.
constexpr double kTrendStep = 0.5;

// "2026-11-26 14:02:31 UTC".
std::string wall_text(int64_t ns) {
  const std::time_t seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  std::tm parts{};
  char text[40];
  if (!gmtime_r(&seconds, &parts)) return "?";
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

std::string duration_text(int64_t ns) {
  constexpr int64_t kSecond_ns = 1'000'000'000;
  std::string text;
  encode::append_duration(text, std::max<int64_t>(ns, 0) / kSecond_ns * kSecond_ns);
  return text;
}

std::string decimal(double x, const char* format) {
  char text[40];
  std::snprintf(text, sizeof text, format, x);
  return text;
}

std::string chance_text(double p) {
  if (p < 1e-6) return "p < 0.000001";
  return "p = " + decimal(p, "%.2g");
}

std::string goroutines_text(uint64_t n) {
  return std::to_string(n) + (n == 1 ? " goroutine" : " goroutines");
}

// Times in minutes and floors, as trends want them.
struct Floor {
  std::vector<double> at, counts;
  explicit Floor(const std::vector<Block>& blocks) {
    for (const Block& b : blocks) {
      at.push_back(static_cast<double>(b.at_ns - blocks.front().at_ns) / 60e9);
      counts.push_back(b.counts.least);
    }
  }
};

// Of the steps from sample to sample: the mean square of the differences between neighbours, each
// by the variance that it would have if goroutines joined at random at a constant rate: then it is
// 1. Slow changes of the rate (the day's wave) do not matter to it. 0: too few.
double dispersion(const std::vector<Block>& blocks) {
  if (blocks.size() < kMinSteps + 1) return 0;
  const auto minutes = [&](size_t i, size_t j) {
    return static_cast<double>(blocks[j].at_ns - blocks[i].at_ns) / 60e9;
  };
  const size_t last = blocks.size() - 1;
  const double rise = double{1} * blocks[last].counts.last - blocks[0].counts.last;
  if (rise <= 0) return 0;
  const double rate = rise / minutes(0, last);
  double sum = 0, before = 0;
  for (size_t i = 1; i <= last; ++i) {
    const double step = double{1} * blocks[i].counts.last - blocks[i - 1].counts.last;
    const double now = step / minutes(i - 1, i);
    if (i > 1) {
      const double variance = rate * (1 / minutes(i - 1, i) + 1 / minutes(i - 2, i - 1));
      sum += (now - before) * (now - before) / variance;
    }
    before = now;
  }
  return sum / static_cast<double>(last - 1);
}

}  // namespace

struct History::Impl {
  HistoryOptions options;
  std::vector<Lane> lanes;  // the newest last
  int64_t at_ns = INT64_MIN;
  int64_t wall_offset_ns = 0;  // wall clock less that of add, as of the last sample

  const Lane* lane_of(uint64_t site) const;
  Growth growth(const Lane& lane, uint64_t site, const Lane::Record& record) const;
  void judge_streak(const Lane& lane, const Lane::Record& record, const Judgement& j,
                    Growth& to) const;
  void judge_floor(const Lane& lane, const Lane::Record& record, Growth& to) const;
  Series series(const series::Timeline& timeline, const series::Rings& rings, uint64_t born) const;
};

History::History(const HistoryOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
}
History::~History() = default;
History::History(History&&) noexcept = default;
History& History::operator=(History&&) noexcept = default;

void History::add(const Snapshot& s, const Sites& sites, int64_t at_ns) {
  if (at_ns <= impl_->at_ns) return;
  impl_->at_ns = at_ns;
  // What a dump says may be anything; 0: it does not tell.
  if (s.taken_at_ns > 0 && s.taken_at_ns < kLatest_ns) {
    impl_->wall_offset_ns = s.taken_at_ns - at_ns;
  }
  std::vector<Lane>& lanes = impl_->lanes;
  const auto lane = std::find_if(lanes.begin(), lanes.end(), [&](const Lane& l) {
    return l.source() == s.source && l.has_time_for(at_ns);
  });
  if (lane != lanes.end()) {
    std::rotate(lane, lane + 1, lanes.end());
  } else {
    std::erase_if(lanes, [&](const Lane& l) { return l.source() == s.source; });
    if (lanes.size() == kMaxLanes) lanes.erase(lanes.begin());
    lanes.emplace_back(s.source, at_ns);
  }
  // Lanes share the room.
  lanes.back().add(s, sites, at_ns, std::max<size_t>(impl_->options.max_sites / lanes.size(), 1));
}

const Lane* History::Impl::lane_of(uint64_t site) const {
  for (auto lane = lanes.rbegin(); lane != lanes.rend(); ++lane) {
    if (lane->find(site)) return &*lane;
  }
  return nullptr;
}

void History::Impl::judge_streak(const Lane& lane, const Lane::Record& record, const Judgement& j,
                                 Growth& to) const {
  to.verdict = j.verdict;
  const int64_t since_ns = lane.time_of(j.since);
  const auto blocks = lane.timeline().window(record.rings, record.born, lane.time_of(j.first - 1));
  const std::string since =
      wall_text(since_ns + wall_offset_ns) + " (" + duration_text(lane.at_ns() - since_ns) + ")";
  const std::string joins =
      "in " + std::to_string(j.joins) + " of " + std::to_string(j.samples) + " samples";
  const Floor floor(blocks);
  to.per_minute = std::max(trend::theil_sen(floor.at, floor.counts), 0.0);
  if (record.counted) {
    const Block &first = blocks.front(), &last = blocks.back();
    to.evidence.push_back("The number has risen " + joins + " and has not fallen since " + since +
                          ": from " + std::to_string(first.counts.last) + " to " +
                          std::to_string(last.counts.last) + " (" +
                          decimal(to.per_minute, "%+.3g") + " a minute).");
    to.evidence.push_back(
        "This source tells numbers only: the trend alone decides, not who stays.");
    if (dispersion(blocks) > kMaxDispersion) {
      to.verdict = Certainty::suspect;
      to.evidence.push_back(
          "The steps vary more than those of goroutines that only join: it may be a wave of load.");
    }
  } else {
    std::string who = "Nobody who has been here";
    if (j.age > 0)
      who += " for " + duration_text(int64_t{j.age} * survival::kTick_ns) + " or longer";
    to.evidence.push_back(who + " has gone on since " + since + "; " + goroutines_text(j.joined) +
                          (j.joined == 1 ? " has" : " have") + " joined them, " + joins + ".");
    if (lane.one_in() > 1) {
      to.evidence.push_back("One of " + std::to_string(lane.one_in()) +
                            " goroutines was followed: there are too many for more.");
    }
    if (!j.ever_left) to.evidence.push_back("Nobody has ever been seen to leave at that age.");
  }
  if (j.chance > 0) {
    to.evidence.push_back("By what was seen here before, such a streak would be chance with " +
                          chance_text(j.chance) + ".");
  }
}

// Counts that fall and rise again: their floor.
void History::Impl::judge_floor(const Lane& lane, const Lane::Record& record, Growth& to) const {
  // Of what is known, three eighths at least: then the level that goes back so far has a dozen
  // points.
  const int64_t known_ns = lane.at_ns() - record.first_ns;
  const auto blocks =
      lane.timeline().window(record.rings, record.born, lane.at_ns() - known_ns / 8 * 3);
  if (blocks.size() < kTrendPoints) return;
  const Floor floor(blocks);
  const double first = floor.counts.front(), last = floor.counts.back();
  if (last < first * kTrendRise || last < first + kTrendLeast) return;
  double step = 0;
  for (size_t i = 1; i < floor.counts.size(); ++i) {
    step = std::max(step, floor.counts[i] - floor.counts[i - 1]);
  }
  if (step > kTrendStep * (last - first)) return;
  const trend::MannKendall rise = trend::mann_kendall(floor.counts);
  if (rise.p > kTrendChance) return;
  to.verdict = Certainty::suspect;
  to.per_minute = trend::theil_sen(floor.at, floor.counts);
  to.evidence.push_back("The floor of the number has risen from " + decimal(first, "%.0f") +
                        " to " + decimal(last, "%.0f") + " in " +
                        duration_text(blocks.back().at_ns - blocks.front().at_ns) + " (" +
                        decimal(to.per_minute, "%+.3g") + " a minute; Mann-Kendall over " +
                        std::to_string(blocks.size()) + " points, " + chance_text(rise.p) + ").");
  to.evidence.push_back(
      "This source tells numbers only, and they fall as well as rise: it may be a wave of load.");
}

Growth History::Impl::growth(const Lane& lane, uint64_t site, const Lane::Record& record) const {
  Growth g;
  g.site = site;
  g.count = record.count;
  g.peak = record.peak;
  g.may_fill = record.born < kFirstSamples && lane.watched_ns() < kFilling_ns;
  g.first_seen_ns = record.first_ns + wall_offset_ns;
  g.last_seen_ns = record.last_ns + wall_offset_ns;
  if (record.count == 0) return g;
  const Judgement j =
      record.ladder.judge(lane.now(), record.counted ? Sight::balance : Sight::each);
  if (j.verdict) {
    judge_streak(lane, record, j, g);
  } else if (record.counted) {
    judge_floor(lane, record, g);
  }
  return g;
}

size_t History::samples() const noexcept {
  return impl_->lanes.empty() ? 0 : impl_->lanes.back().samples();
}

Growth History::growth(uint64_t site) const {
  const Lane* lane = impl_->lane_of(site);
  if (!lane) {
    Growth unknown;
    unknown.site = site;
    return unknown;
  }
  return impl_->growth(*lane, site, *lane->find(site));
}

std::vector<Growth> History::growths() const {
  std::vector<Growth> all;
  if (impl_->lanes.empty()) return all;
  const Lane& lane = impl_->lanes.back();
  for (const auto& [site, record] : lane.records()) {
    Growth g = impl_->growth(lane, site, record);
    if (g.verdict) all.push_back(std::move(g));
  }
  std::sort(all.begin(), all.end(),
            [](const Growth& a, const Growth& b) { return a.site < b.site; });
  return all;
}

Series History::Impl::series(const series::Timeline& timeline, const series::Rings& rings,
                             uint64_t born) const {
  Series result;
  for (const Block& b : timeline.blocks(rings, born)) {
    result.points.push_back(
        {b.at_ns + wall_offset_ns, b.counts.least, b.counts.most, b.counts.last});
  }
  return result;
}

Series History::series(uint64_t site) const {
  const Lane* lane = impl_->lane_of(site);
  Series result;
  if (lane) {
    const Lane::Record& record = *lane->find(site);
    result = impl_->series(lane->timeline(), record.rings, record.born);
  }
  result.site = site;
  return result;
}

Series History::total() const {
  if (impl_->lanes.empty()) return {};
  const Lane& lane = impl_->lanes.back();
  return impl_->series(lane.timeline(), lane.total(), 0);
}

std::vector<uint64_t> History::sites() const {
  std::vector<std::pair<uint64_t, uint64_t>> all;  // count, id
  for (const Lane& lane : impl_->lanes) {
    for (const auto& [id, record] : lane.records()) {
      if (impl_->lane_of(id) == &lane) all.emplace_back(record.count, id);
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::vector<uint64_t> ids;
  ids.reserve(all.size());
  for (const auto& [count, id] : all) ids.push_back(id);
  return ids;
}

size_t History::bytes() const noexcept {
  size_t bytes = sizeof *this + sizeof *impl_;
  for (const Lane& lane : impl_->lanes) bytes += lane.bytes();
  return bytes;
}

}  // namespace weir::profiler
