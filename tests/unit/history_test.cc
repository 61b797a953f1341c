// History: series, verdicts and their words, restarts, gaps, bounds.
#include <weir/profiler/history.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <weir/profiler/sites.h>

#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SnapshotBuilder;

constexpr int64_t kSecond_ns = 1'000'000'000;

struct Waiter {
  uint64_t goid;
  double since;  // seconds of the program's time
};

// A program with one site (and main), and a History that looks at it.
struct Program {
  std::string source = "weir";
  int64_t pid = 1;
  bool counts = false;
  double now = 0;
  int64_t wall_jump_ns = 0;
  uint64_t next_goid = 2;
  std::string reason = "chan receive";
  std::vector<Waiter> waiters{};
  History history{};
  uint64_t site = 0;

  Snapshot snapshot() const {
    SnapshotBuilder b;
    b.snapshot.source = source;
    b.snapshot.pid = pid;
    b.snapshot.taken_at_ns += static_cast<int64_t>(now * 1e9) + wall_jump_ns;
    const uint32_t main = b.stack({b.call(0x10, "main", "main.cc", 1, 0)});
    const uint32_t work = b.stack({b.call(0x20, "work", "work.cc", 2, 0)});
    if (counts) {
      b.counted(main, "select", 1);
      if (!waiters.empty()) b.counted(work, reason, waiters.size());
      return b.snapshot;
    }
    b.group(main, "select", {1}).members[0].since_ns = static_cast<int64_t>(now * 1e9);
    if (waiters.empty()) return b.snapshot;
    Group& g = b.group(work, reason, {});
    for (const Waiter& w : waiters) {
      Member& m = g.members.emplace_back();
      m.goid = w.goid;
      const auto age_ns = static_cast<int64_t>((now - w.since) * 1e9);
      m.since_ns = source == "weir" ? age_ns : age_ns < 60 * kSecond_ns ? -1 : age_ns;
    }
    g.count = g.members.size();
    return b.snapshot;
  }
  void look() {
    const Snapshot s = snapshot();
    const Sites sites(s);
    for (uint32_t i = 0; i < s.groups.size(); ++i) {
      if (s.groups[i].wait_reason == reason) site = sites.of_group(i).id;
    }
    history.add(s, sites, static_cast<int64_t>((now + 1) * 1e9));
  }
  void pass(double seconds) { now += seconds; }
  void join(int n) {
    while (n-- > 0) waiters.push_back({next_goid++, now});
  }
  void leave(size_t n) { waiters.erase(waiters.begin(), waiters.begin() + static_cast<long>(n)); }
  // `samples` with `each` more that stay.
  void leak(int samples, int each = 2, double interval = 10) {
    for (int i = 0; i < samples; ++i) {
      pass(interval / 2);
      join(each);
      pass(interval / 2);
      look();
    }
  }
  // Requests: at each sample there are others.
  void serve(int samples, int n = 5) {
    for (int i = 0; i < samples; ++i) {
      pass(8);
      leave(waiters.size());
      join(n);
      pass(2);
      look();
    }
  }
  Growth growth() const { return history.growth(site); }
  std::optional<Certainty> verdict() const { return growth().verdict; }
};

TEST(History, NothingIsKnownOfNothing) {
  const History h;
  EXPECT_EQ(h.samples(), 0u);
  EXPECT_FALSE(h.growth(7).verdict);
  EXPECT_THAT(h.growths(), IsEmpty());
  EXPECT_THAT(h.series(7).points, IsEmpty());
  EXPECT_THAT(h.total().points, IsEmpty());
  EXPECT_THAT(h.sites(), IsEmpty());
}

TEST(History, ALeakIsLikelyAndSaysWhy) {
  Program p;
  p.look();
  p.leak(8);
  const Growth g = p.growth();
  EXPECT_EQ(g.verdict, Certainty::likely);
  EXPECT_EQ(g.count, 16u);
  EXPECT_EQ(g.peak, 16u);
  EXPECT_NEAR(g.per_minute, 12, 1);
  EXPECT_EQ(g.last_seen_ns - g.first_seen_ns, 70 * kSecond_ns);
  EXPECT_THAT(g.evidence,
              Contains(AllOf(HasSubstr("Nobody who has been here has gone on since 20"),
                             HasSubstr("16 goroutines have joined them, in 8 of 8 samples."))));
  ASSERT_EQ(p.history.growths().size(), 1u);
  EXPECT_EQ(p.history.growths()[0].site, p.site);
}

TEST(History, GosDumpsTellALeakByIds) {
  Program p{.source = "debug=2", .pid = 0};
  p.look();
  p.leak(8);
  EXPECT_EQ(p.verdict(), Certainty::likely);
}

TEST(History, CountsAloneTakeMoreSamplesAndSaySo) {
  Program p{.source = "pprof", .counts = true};
  p.look();
  p.leak(7);
  EXPECT_FALSE(p.verdict());
  p.leak(2);
  const Growth g = p.growth();
  EXPECT_EQ(g.verdict, Certainty::likely);
  EXPECT_THAT(g.evidence, Contains(HasSubstr("numbers only")));
  EXPECT_THAT(g.evidence, Contains(HasSubstr("risen in 9 of 9 samples")));
}

TEST(History, CountsThatJumpAreSuspectAtMost) {
  Program p{.source = "pprof", .counts = true};
  p.look();
  for (int i = 0; i < 12; ++i) {
    p.pass(10);
    p.join(i % 2 == 0 ? 100 : 1);
    p.look();
  }
  EXPECT_EQ(p.verdict(), Certainty::suspect);
}

TEST(History, RequestsAreNoLeak) {
  Program p;
  p.serve(100);
  EXPECT_FALSE(p.verdict());
  EXPECT_EQ(p.growth().count, 5u);
}

TEST(History, ALeakAmongRequestsIsFoundByAge) {
  Program p;
  p.serve(100);
  std::vector<Waiter> leaked;
  for (int i = 0; i < 9; ++i) {
    p.pass(8);
    p.waiters = leaked;
    p.join(2);  // these stay
    leaked = p.waiters;
    p.join(5);
    p.pass(2);
    p.look();
  }
  const Growth g = p.growth();
  EXPECT_EQ(g.verdict, Certainty::likely);
  EXPECT_THAT(g.evidence, Contains(HasSubstr("Nobody who has been here for ")));
}

TEST(History, ASleepLoopIsToldByItsGoroutines) {
  Program p{.reason = "sleep"};
  p.look();
  for (int i = 0; i < 8; ++i) {
    p.pass(10);
    p.join(1);
    for (Waiter& w : p.waiters) w.since = p.now - 0.5;  // each wait is a new one
    p.look();
  }
  EXPECT_EQ(p.verdict(), Certainty::likely);
}

TEST(History, WorkersThatWaitAnewAreNoLeak) {
  Program p;
  p.look();
  for (int i = 0; i < 20; ++i) {
    p.pass(10);
    p.join(1);
    for (Waiter& w : p.waiters) w.since = p.now - 0.5;
    p.look();
  }
  EXPECT_FALSE(p.verdict());
}

TEST(History, AnotherProcessBeginsAnewAndTheSeriesGoesOn) {
  Program p;
  p.look();
  p.leak(10);
  EXPECT_EQ(p.history.samples(), 11u);
  p.pid = 2;
  p.waiters.clear();
  p.next_goid = 2;
  p.leak(1);
  EXPECT_EQ(p.history.samples(), 1u);
  EXPECT_FALSE(p.verdict());
  EXPECT_EQ(p.history.series(p.site).points.size(), 11u);
  p.leak(8);
  EXPECT_EQ(p.verdict(), Certainty::likely);  // those of the first process did not leave
}

TEST(History, AProcessWithoutPidIsKnownByItsIds) {
  Program p{.source = "debug=2", .pid = 0};
  p.next_goid = 1000;
  p.look();
  p.leak(10);
  p.waiters.clear();
  p.now = 0;  // main has only begun to wait
  p.next_goid = 2;
  SnapshotBuilder b;
  b.snapshot.source = "debug=2";
  b.group(b.stack({b.call(0x20, "work", "work.cc", 2, 0)}), "chan receive", {2, 3})
      .members[0]
      .since_ns = -1;
  for (Member& m : b.snapshot.groups[0].members) m.since_ns = -1;
  p.history.add(b.snapshot, Sites(b.snapshot), 200 * kSecond_ns);
  EXPECT_EQ(p.history.samples(), 1u);
}

TEST(History, JumpsOfTheWallClockChangeNothing) {
  Program p;
  p.look();
  p.leak(4);
  p.wall_jump_ns = -7200 * kSecond_ns;
  p.leak(2);
  p.wall_jump_ns = 86'400 * kSecond_ns;
  p.leak(2);
  EXPECT_EQ(p.verdict(), Certainty::likely);
  const Series s = p.history.series(p.site);
  for (size_t i = 1; i < s.points.size(); ++i) {
    EXPECT_EQ(s.points[i].at_ns - s.points[i - 1].at_ns, 10 * kSecond_ns);
  }
}

TEST(History, SamplesThatAreMissingChangeNothing) {
  Program p;
  p.look();
  p.leak(3);
  for (int i = 0; i < 50; ++i) {  // nobody looks
    p.pass(10);
    p.join(2);
  }
  p.look();
  p.leak(3);
  EXPECT_EQ(p.verdict(), Certainty::likely);
}

TEST(History, TimeThatDoesNotGoForwardIsPassedOver) {
  Program p;
  p.look();
  p.look();
  EXPECT_EQ(p.history.samples(), 1u);
}

TEST(History, SourcesInTurnsAreKeptApart) {
  Program p;
  p.look();
  for (int i = 0; i < 8; ++i) {
    p.leak(1);
    p.pass(1);
    p.source = "pprof";
    p.counts = true;
    p.reason = "";  // a profile does not tell it
    p.look();
    p.source = "weir";
    p.counts = false;
    p.reason = "chan receive";
  }
  p.leak(1);
  EXPECT_EQ(p.verdict(), Certainty::likely);
}

TEST(History, SeriesAreFineForMinutesAndCoarseForDays) {
  Program p;
  for (int i = 0; i < 5000; ++i) {
    p.pass(10);
    p.waiters.clear();
    p.join(i % 100 == 50 ? 9 : 3);
    p.look();
  }
  const Series s = p.history.series(p.site);
  ASSERT_FALSE(s.points.empty());
  EXPECT_LE(s.points.size(), 6u * 32u);
  const auto& last = s.points.back();
  EXPECT_EQ(last.least, 3u);
  EXPECT_EQ(last.at_ns - s.points[s.points.size() - 2].at_ns, 10 * kSecond_ns);
  // All of the time is there: peaks are seen in old points, too.
  EXPECT_EQ(s.points.front().most, 9u);
  EXPECT_EQ(s.points.front().least, 3u);
  EXPECT_LE(s.points.front().at_ns, last.at_ns - 40'000 * kSecond_ns);
  for (size_t i = 1; i < s.points.size(); ++i) {
    EXPECT_GT(s.points[i].at_ns, s.points[i - 1].at_ns);
  }
  EXPECT_EQ(p.history.total().points.size(), s.points.size());
  EXPECT_EQ(p.history.total().points.back().last, 4u);
}

// A snapshot of so many sites; site i has `count(i)` goroutines.
template <class Count>
Snapshot many_sites(int sites, Count count) {
  SnapshotBuilder b;
  uint64_t goid = 1;
  for (int i = 0; i < sites; ++i) {
    std::vector<uint64_t> goids;
    for (int k = count(i); k > 0; --k) goids.push_back(goid++);
    const uint64_t address = 0x1000 + static_cast<uint64_t>(i);
    b.group(b.stack({b.call(address, "f", "f.cc", i, 0)}), "select", goids);
  }
  return b.snapshot;
}

TEST(History, SitesAreBoundedAndTheSmallestGo) {
  History h(HistoryOptions{.max_sites = 100});
  const Snapshot small = many_sites(100, [](int) { return 1; });
  h.add(small, Sites(small), 1 * kSecond_ns);
  EXPECT_EQ(h.sites().size(), 100u);
  const Snapshot large = many_sites(300, [](int i) { return i < 100 ? 1 : i < 150 ? 5 : 2; });
  const Sites sites(large);
  h.add(large, sites, 2 * kSecond_ns);
  const std::vector<uint64_t> known = h.sites();
  EXPECT_EQ(known.size(), 100u);
  for (uint32_t g = 100; g < 150; ++g) {
    EXPECT_THAT(known, Contains(sites.of_group(g).id));
  }
  EXPECT_EQ(h.total().points.back().last, 100u + 250u + 300u);
}

TEST(History, MemoryIsBoundedWhateverComes) {
  constexpr int kSites = 200;
  History h(HistoryOptions{.max_sites = kSites});
  const auto limit = size_t{kSites} * 5000 + 100'000;
  for (int i = 0; i < 60; ++i) {
    // Other sites each time.
    SnapshotBuilder b;
    for (int k = 0; k < 2 * kSites; ++k) {
      const int line = i * 1000 + k;
      Group& g = b.group(b.stack({b.call(static_cast<uint64_t>(line), "f", "f.cc", line, 0)}),
                         "select", {static_cast<uint64_t>(line) + 1});
      g.members[0].since_ns = int64_t{1} << (20 + i % 40);
    }
    h.add(b.snapshot, Sites(b.snapshot), (i + 1) * kSecond_ns);
    EXPECT_LE(h.sites().size(), size_t{kSites});
    EXPECT_LE(h.bytes(), limit) << i;
  }
}

TEST(History, AShareOfVeryManyGoroutinesIsFollowed) {
  // More than are followed one by one: over a million at one site, 10 000 more each time.
  History h;
  SnapshotBuilder b;
  Group& g = b.group(b.stack({b.call(1, "f", "f.cc", 1, 0)}), "select", {});
  uint64_t goid = 1;
  uint64_t site = 0;
  for (int i = 0; i < 9; ++i) {
    for (Member& m : g.members) m.since_ns += 10 * kSecond_ns;
    for (int k = i == 0 ? 1'060'000 : 10'000; k > 0; --k) {
      Member& m = g.members.emplace_back();
      m.goid = goid++;
      m.since_ns = kSecond_ns;
    }
    g.count = g.members.size();
    const Sites sites(b.snapshot);
    site = sites.all()[0].id;
    h.add(b.snapshot, sites, (i + 1) * 10 * kSecond_ns);
    EXPECT_LE(h.bytes(), size_t{40} << 20);
  }
  const Growth growth = h.growth(site);
  EXPECT_EQ(growth.count, 1'140'000u);
  EXPECT_EQ(growth.verdict, Certainty::likely);
  EXPECT_THAT(growth.evidence, Contains(HasSubstr("One of 2 goroutines was followed")));
}

}  // namespace
}  // namespace weir::profiler
