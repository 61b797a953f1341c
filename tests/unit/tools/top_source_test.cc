// What weir top asks targets for: the cheapest that tells; and what it makes of the answers.

#include "top/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "temporary.h"
#include "top/counts.h"
#include "top_test_util.h"

namespace weir::tools::top {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A Go program with so many goroutines.
struct GoTarget {
  uint64_t goroutines = 3;
  uint64_t now = 303, per_second = 1;  // the nth was created in that second over so many
  std::vector<std::string> asked;

  std::string get(const std::string& path) {
    asked.push_back(path);
    if (path == "/debug/pprof/goroutine?debug=1") {
      return "goroutine profile: total " + std::to_string(goroutines) + "\n" +
             std::to_string(goroutines) +
             " @ 0x1001 0x1002\n#\t0x1000\tmain.leak+0x1\t/src/m.go:9\n\n";
    }
    if (path == "/debug/pprof/goroutine?debug=2") {
      std::string text;
      for (uint64_t i = 1; i <= goroutines; ++i) {
        const uint64_t minutes = (now - std::min(now, i / per_second)) / 60;
        text += "goroutine " + std::to_string(i) + " [chan send";
        if (minutes > 0) text += ", " + std::to_string(minutes) + " minutes";
        text +=
            "]:\nmain.leak(...)\n\t/src/m.go:9 +0x1\ncreated by main.main\n\t/src/m.go:5 +0x2\n\n";
      }
      return text;
    }
    if (path == "/debug/pprof/cmdline") return "/usr/bin/shop";
    throw Failure("http://shop", "404 Not Found");
  }
};

TEST(TopSource, AsksWeirForGroupsFindingsAndScheduler) {
  Target target;
  target.goroutines = {{5, "chan send", "3m0s", "f", "main"}};
  std::vector<std::string> asked;
  Source source([&](const std::string& path) {
    asked.push_back(path);
    return target.get(path);
  });
  const Sample s = source.take(kSecond);
  EXPECT_THAT(asked, ElementsAre("/debug/pprof/goroutine?debug=1", "/debug/sched?format=json",
                                 "/debug/leaks?format=json&limit=1000", "/debug/pprof/cmdline"));
  EXPECT_EQ(s.origin, Origin::weir);
  EXPECT_EQ(s.program, "zoo");
  EXPECT_EQ(s.total, 5U);
  ASSERT_EQ(s.rows.size(), 1U);
  EXPECT_EQ(s.rows[0].wait, "chan send");
  EXPECT_EQ(s.rows[0].oldest_ns, 180 * kSecond);
  EXPECT_EQ(s.rows[0].blocked_at.function, "f");
  EXPECT_EQ(s.rows[0].created_by.function, "main");
  EXPECT_THAT(s.sched_missing, HasSubstr("404"));
  EXPECT_TRUE(s.findings_missing.empty());
  asked.clear();
  source.take(2 * kSecond);
  EXPECT_EQ(asked.size(), 3U);  // the name does not change
}

TEST(TopSource, AsksSmallGoProgramsForWaitsAndCreators) {
  GoTarget target;
  Source source([&](const std::string& path) { return target.get(path); });
  const Sample s = source.take(kSecond);
  EXPECT_EQ(s.origin, Origin::go);
  EXPECT_EQ(s.rows.at(0).wait, "chan send");
  EXPECT_EQ(s.rows.at(0).oldest_ns, 300 * kSecond);
  EXPECT_EQ(s.rows.at(0).created_by.function, "main.main");
  EXPECT_EQ(s.sched_missing, "a Go program has none");
  target.asked.clear();
  source.take(2 * kSecond);
  EXPECT_THAT(target.asked, ElementsAre("/debug/pprof/goroutine?debug=2"));
}

TEST(TopSource, NeverStopsLargeGoPrograms) {
  GoTarget target;
  target.goroutines = 5000;
  Source source([&](const std::string& path) { return target.get(path); });
  const Sample s = source.take(kSecond);
  EXPECT_EQ(s.total, 5000U);
  EXPECT_EQ(s.rows.at(0).entry, "main.leak");
  EXPECT_THAT(s.notes, ElementsAre(HasSubstr("counts only")));
  EXPECT_EQ(std::ranges::count(target.asked, "/debug/pprof/goroutine?debug=2"), 0);
}

TEST(TopSource, AGoProgramThatHasGrownIsStoppedOnceMore) {
  GoTarget target;
  Source source([&](const std::string& path) { return target.get(path); });
  source.take(kSecond);
  target.goroutines = 2000;
  source.take(2 * kSecond);
  target.asked.clear();
  EXPECT_EQ(source.take(3 * kSecond).total, 2000U);
  EXPECT_THAT(target.asked, ElementsAre("/debug/pprof/goroutine?debug=1"));
}

TEST(TopSource, FindsLeaksOfGoByItself) {
  GoTarget target;
  Source source([&](const std::string& path) { return target.get(path); });
  Sample s;
  for (uint64_t i = 1; i <= 450; ++i) {
    target.goroutines = target.now = 2 * i;
    s = source.take(static_cast<int64_t>(2 * i) * kSecond);
  }
  ASSERT_FALSE(s.findings.findings.empty());
  EXPECT_EQ(s.findings.findings[0].blocked_at.function, "main.leak");
  EXPECT_TRUE(s.rows.at(0).leak.has_value());
}

TEST(TopSource, FailsAsTheTargetDoesAndRecovers) {
  Target target;
  target.goroutines = {{5}};
  bool is_down = true;
  Source source([&](const std::string& path) {
    if (is_down) throw Failure("http://zoo", "connection refused");
    return target.get(path);
  });
  EXPECT_THROW(source.take(kSecond), Failure);
  is_down = false;
  EXPECT_EQ(source.take(2 * kSecond).total, 5U);
}

TEST(TopSource, TellsANewProcessFromTheOld) {
  Target target;
  target.goroutines = {{5}};
  Source source([&](const std::string& path) { return target.get(path); });
  const auto sched = [&](uint64_t created) {
    target.sched =
        R"({"schema":"weir.sched/1","goroutines":{"created":)" + std::to_string(created) + "}}";
  };
  sched(100);
  EXPECT_FALSE(source.take(kSecond).restarted);
  sched(200);
  EXPECT_FALSE(source.take(2 * kSecond).restarted);
  sched(7);
  const Sample s = source.take(3 * kSecond);
  EXPECT_TRUE(s.restarted);
  EXPECT_EQ(s.recent.size(), 1U);  // growth begins anew
}

TEST(TopSource, ReadsAFileAgainWhenItHasChanged) {
  const testing::TemporaryDir dir;
  const std::string file = dir.path("dump.txt");
  const auto write = [&file](uint64_t count) {
    std::ofstream(file) << debug1({{count, "select", "1s"}});
  };
  write(5);
  Source source(file, {});
  EXPECT_EQ(source.take(kSecond).total, 5U);
  EXPECT_EQ(source.take(2 * kSecond).total, 5U);
  write(123456);  // another size
  const Sample s = source.take(3 * kSecond);
  EXPECT_EQ(s.total, 123456U);
  EXPECT_EQ(s.origin, Origin::file);
  std::remove(file.c_str());
  EXPECT_THROW(source.take(4 * kSecond), Failure);
}

TEST(TopSource, ReadsDumpsOfRealGoPrograms) {
  for (const char* name : {"go1.19-debug1.txt", "go1.19-debug2.txt", "go1.19-goroutine.pb.gz"}) {
    FetchOptions options;
    options.quiet = true;
    Source source(std::string(WEIR_FIXTURES "/") + name, options);
    const Sample s = source.take(kSecond);
    EXPECT_GT(s.total, 5U) << name;
    EXPECT_FALSE(s.rows.empty()) << name;
  }
}

TEST(TopRemote, TakesNoGarbage) {
  for (const char* text : {"", "not json", "[]", "{}", R"({"schema":"weir.other/1"})"}) {
    EXPECT_THROW(read_sched(text), std::runtime_error) << text;
    EXPECT_THROW(read_findings(text), std::runtime_error) << text;
  }
  // Of the wrong types: as if it were not there.
  const Sched s = read_sched(R"({"schema":"weir.sched/1","procs":[1],"goroutines":{"total":"x",
    "created":-5,"states":{"waiting":"many","running":2}},"latency":{"buckets":[3,{"count":1}]}})");
  EXPECT_EQ(s.goroutines, 0U);
  EXPECT_EQ(s.created, 0U);
  EXPECT_THAT(s.states, ElementsAre(::testing::Pair("running", 2U)));
  const auto f = read_findings(R"({"schema":"weir.findings/1","findings":[5,{"kind":"new_kind",
    "count":1e300,"growth_per_minute":1e300,"stack":"no","site":"zz","goids":[-1,"x",9]}]})");
  ASSERT_EQ(f.findings.size(), 2U);
  EXPECT_EQ(f.findings[0].count + f.findings[1].count, 0U);
}

TEST(TopCounts, SlopeIsOfTheBestLine) {
  const std::vector<int64_t> at = {0, 30 * kSecond, 60 * kSecond};
  EXPECT_DOUBLE_EQ(*slope_per_minute(at, std::vector<uint32_t>{0, 5, 10}), 10);
  EXPECT_DOUBLE_EQ(*slope_per_minute(at, std::vector<uint32_t>{7, 7, 7}), 0);
  EXPECT_DOUBLE_EQ(*slope_per_minute(at, std::vector<uint32_t>{0, 100, 0}), 0);  // a burst
  EXPECT_FALSE(slope_per_minute(std::vector<int64_t>{5}, std::vector<uint32_t>{1}).has_value());
  const std::vector<int64_t> same = {5, 5};
  EXPECT_FALSE(slope_per_minute(same, std::vector<uint32_t>{1, 2}).has_value());
}

TEST(TopCounts, WindowSlidesAndIsBounded) {
  Counts c;
  const auto add = [&c](int64_t at, uint64_t count) {
    const std::vector<std::pair<uint64_t, uint64_t>> by_site = {{1, count}};
    c.add(at, count == 0 ? std::span<const std::pair<uint64_t, uint64_t>>() : by_site);
  };
  for (int i = 0; i < 10'000; ++i) add(i * kSecond / 10, static_cast<uint64_t>(i) + 1);
  EXPECT_LE(c.times().size(), Counts::kMaxPoints);
  EXPECT_EQ(c.of(1).size(), c.times().size());
  EXPECT_EQ(c.of(1).back(), 10'000U);
  EXPECT_NEAR(*c.growth(c.of(1)), 600, 1);
  EXPECT_LE(c.span_ns(), Counts::kWindowNs + kSecond);
  for (int i = 0; i < 100; ++i) add((1000 + i) * kSecond, 0);
  EXPECT_EQ(c.of(1), std::vector<uint32_t>(c.times().size()));  // forgotten
}

TEST(TopCounts, SitesThatComeLaterWereNobodys) {
  Counts c;
  c.add(kSecond, std::vector<std::pair<uint64_t, uint64_t>>{{1, 5}});
  c.add(3 * kSecond, std::vector<std::pair<uint64_t, uint64_t>>{{1, 5}, {2, 8}});
  c.add(5 * kSecond, std::vector<std::pair<uint64_t, uint64_t>>{{2, 9}});
  EXPECT_THAT(c.of(1), ElementsAre(5, 5, 0));
  EXPECT_THAT(c.of(2), ElementsAre(0, 8, 9));
  EXPECT_THAT(c.total(), ElementsAre(5, 13, 9));
}

TEST(TopCounts, FewSamplesCountHoweverOldTheyAre) {
  Counts c;
  for (int i = 0; i < 6; ++i) {
    c.add(i * 600 * kSecond, std::vector<std::pair<uint64_t, uint64_t>>{{1, 5}});
  }
  EXPECT_EQ(c.times().size(), Counts::kMinPoints);
}

}  // namespace
}  // namespace weir::tools::top
