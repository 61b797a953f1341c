// The Detector: what is proven, likely, suspect and neither, and findings over time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/detector.h>
#include <weir/profiler/error.h>

#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using testing::SnapshotBuilder;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kStep = 10 * kSecond;

// Goroutines at one place, each of which waits since `born`.
struct Place {
  std::string function, reason, kind;
  std::vector<int64_t> born{};  // by the test's clock, ns
};

Snapshot snapshot(const std::vector<Place>& places, int64_t now) {
  SnapshotBuilder b;
  b.snapshot.taken_at_ns += now;
  uint64_t address = 0x1000, goid = 0;
  for (const Place& p : places) {
    goid = (goid / 100'000 + 1) * 100'000;  // who stays keeps its id
    const uint32_t stack = b.stack({b.call(address++, p.function, "app.cc", 7, 1)});
    std::vector<uint64_t> goids;
    for (size_t i = 0; i < p.born.size(); i++) goids.push_back(goid++);
    Group& g = b.group(stack, p.reason, goids);
    g.object_kind = p.kind;
    g.created_by = b.call(address++, p.function + "_maker", "maker.cc", 3, 1);
    for (size_t i = 0; i < p.born.size(); i++) {
      g.members[i].since_ns = now - p.born[i];
      g.oldest_ns = std::max(g.oldest_ns, now - p.born[i]);
    }
  }
  return std::move(b.snapshot);
}

const Finding* find(const Findings& f, const std::string& function) {
  for (const Finding& x : f.findings) {
    if (x.blocked_at.function == function) return &x;
  }
  return nullptr;
}

// `per_step` more at each place of `leaking` for so many steps.
Findings grow(Detector& d, std::vector<Place> places, const std::vector<size_t>& leaking,
              int steps = 15, int per_step = 3) {
  for (int64_t now = kStep; now <= steps * kStep; now += kStep) {
    for (const size_t i : leaking) {
      for (int n = 0; n < per_step; n++) places[i].born.push_back(now - n * kSecond - 1);
    }
    d.observe(snapshot(places, now), now);
  }
  return d.findings();
}

TEST(Detector, WhatGrowsIsLikelyWhatIsThereAllAlongIsNot) {
  Detector d;
  const Findings f = grow(d,
                          {{"leak", "chan send", "chan"},
                           {"pool", "chan receive", "chan", std::vector<int64_t>(50, 0)}},
                          {0});
  const Finding* leak = find(f, "leak");
  ASSERT_TRUE(leak);
  EXPECT_EQ(leak->certainty, Certainty::likely);
  EXPECT_EQ(leak->kind, Kind::chan_send);
  EXPECT_EQ(leak->count, 45U);
  EXPECT_NEAR(leak->growth_per_minute, 18, 2);
  EXPECT_EQ(leak->created_by.function, "leak_maker");
  EXPECT_FALSE(leak->evidence.empty());
  EXPECT_FALSE(leak->cause.empty());
  EXPECT_FALSE(leak->fix.empty());
  EXPECT_EQ(leak->goids.size(), Finding::kMaxGoids);
  EXPECT_FALSE(find(f, "pool"));
  EXPECT_EQ(f.goroutines, 95U);
}

TEST(Detector, WhatIsProvenNeedsNoGrowthAndIsToldOnce) {
  Detector d;
  d.observe(snapshot({{"nil", "chan receive (nil chan)", "", {0}}}, kStep), kStep);
  ASSERT_EQ(d.findings().findings.size(), 1U);
  EXPECT_EQ(d.findings().findings[0].certainty, Certainty::certain);
  EXPECT_EQ(d.findings().findings[0].kind, Kind::nil_channel);
  Detector growing;
  const Findings f = grow(growing, {{"nil", "chan receive (nil chan)", ""}}, {0});
  ASSERT_EQ(f.findings.size(), 1U);
  EXPECT_EQ(f.findings[0].certainty, Certainty::certain);
  EXPECT_GT(f.findings[0].growth_per_minute, 10);
}

TEST(Detector, WaitsForTheNetworkAreNeverMoreThanSuspect) {
  Detector d;
  const Findings f = grow(d, {{"conn", "IO wait", "io"}}, {0}, 40);
  for (const Finding& x : f.findings) EXPECT_EQ(x.certainty, Certainty::suspect);
}

TEST(Detector, RemembersWhenItFirstSawAndHowManyThereWere) {
  Detector d;
  Place nil{"nil", "chan send (nil chan)", "", {0, 0, 0, 0, 0}};
  d.observe(snapshot({nil}, kStep), kStep);
  const int64_t first = d.findings().taken_at_ns;
  nil.born.resize(2);
  d.observe(snapshot({nil}, 5 * kStep), 5 * kStep);
  ASSERT_EQ(d.findings().findings.size(), 1U);
  const Finding& f = d.findings().findings[0];
  EXPECT_EQ(f.first_seen_ns, first);
  EXPECT_EQ(f.last_seen_ns, first + 4 * kStep);
  EXPECT_EQ(f.peak, 5U);
  EXPECT_EQ(f.count, 2U);
  d.observe(snapshot({}, 6 * kStep), 6 * kStep);
  EXPECT_TRUE(d.findings().findings.empty()) << "who is gone is no finding";
}

TEST(Detector, IgnoresWhatItIsTold) {
  for (const char* pattern : {"^leak$", "maker", R"(app\.cc$)"}) {
    Detector d({.ignore = {"nothing", pattern}});
    EXPECT_TRUE(grow(d, {{"leak", "chan send", "chan"}}, {0}).findings.empty()) << pattern;
  }
  EXPECT_THROW(Detector({.ignore = {"((("}}), error);
  EXPECT_THROW(detect({}, {.ignore = {"((("}}), error);
}

TEST(Detector, ASingleSnapshotSuspectsVeryManyInOnePlace) {
  EXPECT_TRUE(detect(snapshot({{"some", "chan send", "chan", std::vector<int64_t>(9'999, 0)}}, 1))
                  .findings.empty());
  const Findings f =
      detect(snapshot({{"many", "chan send", "chan", std::vector<int64_t>(10'000, 0)}}, 1));
  ASSERT_EQ(f.findings.size(), 1U);
  EXPECT_EQ(f.findings[0].certainty, Certainty::suspect);
}

TEST(Detector, SaysWhatItCouldNotSee) {
  Snapshot s = snapshot({{"work", "chan send", "chan", {0}}}, kStep);
  s.truncated = true;
  s.left_out = 12;
  EXPECT_THAT(detect(s).notes,
              ::testing::ElementsAre(::testing::HasSubstr("cut off"), ::testing::HasSubstr("12")));
}

TEST(Detector, FindingsComeMostCertainFirst) {
  Detector d;
  const Findings f = grow(d,
                          {{"leak", "chan send", "chan"},
                           {"leak2", "sync.Cond.Wait", "cond"},
                           {"nil", "chan send (nil chan)", "", {0}}},
                          {0, 1});
  ASSERT_GE(f.findings.size(), 3U);
  EXPECT_EQ(f.findings[0].blocked_at.function, "nil");
  EXPECT_TRUE(find(f, "leak"));
  EXPECT_TRUE(find(f, "leak2"));
}

}  // namespace
}  // namespace weir::profiler
