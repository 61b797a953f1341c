// Survival (survival.h): streaks, and what they are worth.
#include "survival.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <utility>

namespace weir::profiler::survival {

namespace {

// Six joins: five rises are what a look at the bare numbers needs for significance at 1 % (1/5!).
constexpr uint32_t kJoins = 6;
// And the first is so many samples ago: at 5 s and more from one to the next, that is longer than
// the 30 s that requests are given as a rule, so a backend that stalls has let go of somebody.
constexpr uint32_t kLikelySamples = 7;
// Counts alone hide who leaves behind who joins: more samples make up for it.
constexpr uint32_t kBalanceJoins = 8;
// However often one looks: pauses, held locks and retries are shorter.
constexpr Tick kLikelySpan = 20 * kSecond, kSuspectSpan = 10 * kSecond;
// Of a streak by chance, at one site on one rung. 10 000 sites, 20 rungs and many samples are
// looked at, though those of one streak are one trial.
constexpr double kLikelyChance = 1e-6, kSuspectChance = 1e-3;
// How many times its age a wait has to go where tails are heavy.
constexpr double kHeavyTail = 1;
// The joins in a streak come all the time, not in a few steps: the longest gap between the newest
// is not more than this share of the samples, nor are the two or the three longest. A Poisson
// process fails one of these in some percent of the cases, and gets its verdict a sample later.
constexpr std::array<double, 3> kLongestGaps = {0.6, 0.85, 0.97};
// A ramp that flattens out is a warm-up: the newest joins are as fast as this share of all of the
// streak at least.
constexpr double kSteady = 1.0 / 3;
// Standard deviations by which the older half of the newest joins must be more than twice the
// newer half for a ramp that flattens out right now.
constexpr double kFlattens = 3;

// Of goroutines that joined: all, those of the older half and those of the newer half of the joins;
// the largest of each half left out, which may have gathered while nobody looked.
struct Halves {
  double all = 0, older = 0, newer = 0;
};
template <class Joins>
Halves halves(const Joins& joins) {
  const auto sum = [&joins](size_t first, size_t end) {
    double sum = 0, largest = 0;
    for (size_t i = first; i < end; ++i) {
      sum += joins[i].count;
      largest = std::max<double>(largest, joins[i].count);
    }
    return std::pair(sum, sum - largest);
  };
  const auto [older, older_but_one] = sum(0, joins.size() / 2);
  const auto [newer, newer_but_one] = sum(joins.size() / 2, joins.size());
  return {older + newer, older_but_one, newer_but_one};
}

}  // namespace

size_t rung_of(Tick age) {
  const size_t rung = static_cast<size_t>(std::bit_width(age / kSecond));
  return std::min(rung, kRungs - 1);
}

Tick age_of(size_t rung) { return rung == 0 ? 0 : kSecond << (rung - 1); }

void Ladder::Rung::begin_streak(Tick now) {
  exposed += exposure;
  exposure = 0;
  base = present;
  since = now;
  joined = joins = samples = 0;
}

void Ladder::step(const Turnover& turnover, Tick now, Tick passed) {
  size_t reached = rungs_.size();
  for (size_t r = reached; r < kRungs; ++r) {
    if (turnover.present[r] + turnover.left[r] > 0) reached = r + 1;
  }
  if (reached > rungs_.capacity()) rungs_.reserve(reached);  // no more than is used
  rungs_.resize(reached);
  for (size_t r = 0; r < reached; ++r) {
    Rung& rung = rungs_[r];
    const uint32_t before = rung.present;
    rung.present = turnover.present[r];
    rung.exposure += static_cast<double>(before) * passed / kSecond;
    if (turnover.left[r] > 0) {
      ++rung.endings;
      rung.begin_streak(now);
      continue;
    }
    if (before == 0 && rung.base == 0 && rung.joins == 0) rung.since = now - passed;
    rung.base += turnover.found[r];
    if (rung.joins > 0) ++rung.samples;
    if (turnover.joined[r] == 0) continue;
    if (rung.joins == 0) {
      rung.first = now;
      rung.samples = 1;
    }
    rung.newest[rung.joins % kKept] = {rung.samples, turnover.joined[r]};
    ++rung.joins;
    rung.joined += std::min(turnover.joined[r], UINT32_MAX - rung.joined);
  }
}

void Ladder::begin_anew(Tick now) {
  for (Rung& rung : rungs_) {
    rung.present = 0;
    rung.begin_streak(now);
  }
}

Judgement Ladder::judge(Tick now, Sight sight) const {
  // The lowest rung with the best verdict: it has the most goroutines. Of counts there is only the
  // first.
  Judgement best;
  for (size_t r = 0; r < rungs_.size(); ++r) {
    Judgement j = judge(r, now, sight);
    if (j.verdict && (!best.verdict || *j.verdict > *best.verdict)) {
      best = j;
      best.age = age_of(r);
    }
    if (best.verdict == Certainty::likely) break;
  }
  return best;
}

Judgement Ladder::judge(size_t r, Tick now, Sight sight) const {
  const Rung& rung = rungs_[r];
  Judgement j;
  if (rung.joins < (sight == Sight::each ? kJoins : kBalanceJoins)) return j;
  j.since = rung.since;
  j.first = rung.first;
  j.joined = rung.joined;
  j.joins = rung.joins;
  j.samples = rung.samples;
  j.ever_left = rung.endings > 0;

  // Goroutines in balance: as many leave as join. With n of them and e joins, by the law of small
  // numbers, e + e^2/2n should have left by now, if the e came evenly.
  const double e = sight == Sight::each ? rung.joined : rung.joins;
  if (rung.base > 0) j.chance = std::exp(-(e + e * e / (2.0 * rung.base)));
  // The site's own history. Those who leave at once (a flush, a broadcast) are one event, so what
  // counts is how often it happens that somebody leaves, for each goroutine-second; k events in H
  // of them, and none in E: (1 + E/H)^-(k + 1/2), the hazard being known no better than by these k.
  if (rung.endings > 0 && rung.exposed > 0) {
    const double ratio = rung.exposure / rung.exposed;
    j.chance = std::max(j.chance, std::pow(1 + ratio, -(rung.endings + 0.5)));
  }
  // Waits with the heaviest tails that there are end at a rate of 1/age: who has been here for long
  // has as long to go. So by now, so many should have left.
  if (r > 0) {
    const double age = static_cast<double>(age_of(r)) / kSecond;
    j.chance = std::max(j.chance, std::exp(-rung.exposure / (kHeavyTail * age)));
  }
  if (j.chance > kSuspectChance) return j;

  // The newest joins, oldest first, and the gaps between them up to now. In samples: what came
  // while nobody looked is not known to have come at once.
  std::array<Join, kKept> newest;
  for (size_t i = 0; i < kKept; ++i) newest[i] = rung.newest[(rung.joins + i) % kKept];
  const double span = rung.samples - newest.front().sample;
  std::array<double, kKept> gaps;
  for (size_t i = 0; i < kKept; ++i) {
    gaps[i] = (i + 1 < kKept ? newest[i + 1].sample : rung.samples) - newest[i].sample;
  }
  std::sort(gaps.begin(), gaps.end(), std::greater<>());
  double longest = 0;
  for (size_t i = 0; i < kLongestGaps.size(); ++i) {
    longest += gaps[i];
    if (longest > kLongestGaps[i] * span) return j;
  }

  const Tick streak = now - std::min(rung.first, now);
  if (streak < kSuspectSpan) return j;
  const auto [all, older, newer] = halves(newest);
  const bool flattens = older > 2 * newer && older - newer > kFlattens * std::sqrt(older + newer);
  const bool is_steady = all * rung.samples >= kSteady * rung.joined * span;
  const bool is_likely = streak >= kLikelySpan && rung.samples >= kLikelySamples &&
                         j.chance <= kLikelyChance && is_steady && !flattens;
  j.verdict = is_likely ? Certainty::likely : Certainty::suspect;
  return j;
}

}  // namespace weir::profiler::survival
