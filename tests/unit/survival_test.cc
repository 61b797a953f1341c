// Residents and the ladder of ages.
#include "detect/survival.h"

#include <gtest/gtest.h>

#include <vector>

#include "detect/residents.h"

namespace weir::profiler {
namespace {

using residents::Identity;
using residents::Resident;
using residents::Seen;
using residents::Times;
using residents::turn_over;
using survival::Judgement;
using survival::kSecond;
using survival::Ladder;
using survival::Sight;
using survival::Tick;
using survival::Turnover;

constexpr Tick kZero = 1'000'000;

int64_t seconds(double n) { return static_cast<int64_t>(n * 1e9); }

// One site that is looked at again and again.
struct Site {
  Identity identity = Identity::wait;
  Ladder ladder{};
  std::vector<Resident> there{};
  Tick before = 0;
  Turnover last{};
  bool minutes = false;

  void look(double at, const std::vector<Seen>& seen) {
    Times times;
    times.now = kZero + static_cast<Tick>(at * kSecond);
    times.first = before == 0;
    times.before = times.first ? times.now : before;
    times.blur = 2;
    times.minutes = minutes;
    std::vector<Resident> now;
    last = turn_over(there, seen, identity, times, now);
    ladder.step(last, times.now, times.now - times.before);
    there = std::move(now);
    before = times.now;
  }
  Judgement judge() const { return ladder.judge(before, Sight::each); }
};

TEST(Survival, RungsAreAges) {
  EXPECT_EQ(survival::rung_of(0), 0u);
  EXPECT_EQ(survival::rung_of(kSecond - 1), 0u);
  for (size_t r = 1; r < survival::kRungs; ++r) {
    EXPECT_EQ(survival::rung_of(survival::age_of(r)), r);
    EXPECT_EQ(survival::rung_of(survival::age_of(r) - 1), r - 1);
  }
  EXPECT_EQ(survival::rung_of(UINT32_MAX), survival::kRungs - 1);
}

TEST(Residents, SameWaitByTheTimeItBegan) {
  Site site;
  site.look(0, {{1, seconds(5)}, {2, seconds(5)}});
  EXPECT_EQ(site.last.found[0], 2u);
  EXPECT_EQ(site.last.joined[0], 0u);
  // 1 still waits, 2 has waited anew, 3 has come.
  site.look(10, {{1, seconds(15)}, {2, seconds(3)}, {3, seconds(1)}});
  EXPECT_EQ(site.last.left[0], 1u);
  EXPECT_EQ(site.last.joined[0], 2u);
  EXPECT_EQ(site.last.present[0], 3u);
  EXPECT_EQ(site.last.joined[4], 1u);  // 1 has reached 8 s
  EXPECT_EQ(site.last.joined[3], 0u);  // and was beyond 4 s before
  EXPECT_EQ(site.last.left[3], 1u);
  EXPECT_EQ(site.last.left[4], 0u);
}

TEST(Residents, InexactTimesOfSamplesDoNotMatter) {
  Site site;
  site.look(0, {{1, seconds(20)}});
  site.look(10, {{1, seconds(35)}});  // 5 s too old
  EXPECT_EQ(site.last.left[0], 0u);
  site.look(20, {{1, seconds(32)}});  // 8 s too young
  EXPECT_EQ(site.last.left[0], 0u);
}

TEST(Residents, WhoWakesInTurnsMayBeElsewhereForAMoment) {
  Site site{Identity::goroutine};
  site.look(0, {});
  site.look(10, {{1, 0}});
  site.look(20, {});
  site.look(30, {});
  EXPECT_EQ(site.last.present[0], 1u);
  site.look(40, {{1, 0}});
  EXPECT_EQ(site.last.joined[0], 0u);
  for (int at = 50; at < 80; at += 10) site.look(at, {});
  EXPECT_EQ(site.last.left[0], 1u);
  EXPECT_EQ(site.last.present[0], 0u);
}

TEST(Residents, GosMinutesBelieAWait) {
  Site site{Identity::minutes};
  site.minutes = true;
  site.look(0, {});
  site.look(60, {{1, -1}});
  site.look(240, {{1, seconds(120)}});
  EXPECT_EQ(site.last.left[0], 0u);
  site.look(400, {{1, seconds(240)}});
  EXPECT_EQ(site.last.left[0], 0u);
  site.look(600, {{1, -1}});  // after nine minutes, none is known: another wait
  EXPECT_EQ(site.last.left[0], 1u);
  EXPECT_EQ(site.last.joined[0], 1u);
}

// Those who come at each sample and stay.
void leak(Site& site, double from, int samples, uint32_t first, std::vector<Seen>& all,
          int each = 1) {
  for (int i = 0; i < samples; ++i) {
    for (Seen& s : all) s.waited_ns += seconds(10);
    for (int k = 0; k < each; ++k) {
      all.push_back({first + static_cast<uint32_t>(i * each + k), seconds(1)});
    }
    site.look(from + 10 * i, all);
  }
}

TEST(Ladder, ALeakIsSuspectAfterSixJoinsAndLikelyAfterSeven) {
  Site site;
  std::vector<Seen> all;
  site.look(0, all);
  leak(site, 10, 5, 100, all);
  EXPECT_FALSE(site.judge().verdict);
  leak(site, 60, 1, 200, all);
  EXPECT_EQ(site.judge().verdict, Certainty::suspect);
  leak(site, 70, 1, 300, all);
  const Judgement j = site.judge();
  EXPECT_EQ(j.verdict, Certainty::likely);
  EXPECT_EQ(j.joined, 7u);
  EXPECT_EQ(j.joins, 7u);
  EXPECT_EQ(j.samples, 7u);
  EXPECT_FALSE(j.ever_left);
}

TEST(Ladder, SecondsAreTooShortForLikely) {
  Site site;
  std::vector<Seen> all;
  site.look(0, all);
  for (uint32_t i = 1; i <= 12; ++i) {
    all.push_back({i, 0});
    site.look(i, all);
    for (Seen& s : all) s.waited_ns += seconds(1);
  }
  EXPECT_EQ(site.judge().verdict, Certainty::suspect);
}

TEST(Ladder, WhoHasGoneOnEndsTheStreak) {
  Site site;
  std::vector<Seen> all;
  site.look(0, all);
  leak(site, 10, 10, 100, all);
  EXPECT_EQ(site.judge().verdict, Certainty::likely);
  all.erase(all.begin());  // the oldest
  leak(site, 110, 1, 200, all);
  EXPECT_FALSE(site.judge().verdict);
}

TEST(Ladder, APoolThatIsResizedIsNoLeak) {
  Site site;
  std::vector<Seen> all;
  site.look(0, all);
  leak(site, 10, 4, 100, all, 5);  // it starts
  for (int step = 0; step < 3; ++step) {
    for (int i = 0; i < 50; ++i) {
      for (Seen& s : all) s.waited_ns += seconds(10);
      site.look(50 + 500 * step + 10 * i, all);
    }
    leak(site, 550 + 500 * step, 1, 1000 + 100 * static_cast<uint32_t>(step), all, 20);
    EXPECT_FALSE(site.judge().verdict) << step;
  }
}

TEST(Ladder, ABalanceHasToBeDisturbedForLonger) {
  // Fifty were there before anybody looked: that nobody of them leaves while six come is chance.
  Site site;
  std::vector<Seen> all;
  for (uint32_t i = 1; i <= 50; ++i) all.push_back({i, seconds(100 + i)});
  site.look(0, all);
  leak(site, 10, 6, 100, all);
  EXPECT_FALSE(site.judge().verdict);
  leak(site, 70, 10, 200, all);
  EXPECT_EQ(site.judge().verdict, Certainty::likely);
}

TEST(Ladder, AnotherProcessBeginsAnewButTheHistoryStays) {
  Site site;
  std::vector<Seen> all;
  site.look(0, all);
  leak(site, 10, 10, 100, all);
  all.clear();
  leak(site, 110, 1, 200, all);  // all of them have left at once
  EXPECT_TRUE(site.last.left[0] > 0);
  leak(site, 120, 8, 300, all);
  EXPECT_FALSE(site.judge().verdict);  // perhaps they all leave again

  Site restarted;
  all.clear();
  restarted.look(0, all);
  leak(restarted, 10, 10, 100, all);
  restarted.ladder.begin_anew(restarted.before);
  restarted.there.clear();
  EXPECT_FALSE(restarted.judge().verdict);
  all.clear();
  leak(restarted, 110, 7, 1, all);
  EXPECT_EQ(restarted.judge().verdict, Certainty::likely);
}

}  // namespace
}  // namespace weir::profiler
