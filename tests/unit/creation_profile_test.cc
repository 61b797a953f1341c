// Creation stacks, and the profile of goroutines by the stack that created them.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include <weir/profiler/capture.h>
#include <weir/profiler/profile.h>
#include <weir/profiling.h>
#include <weir/weir.h>

#include "capture_test_util.h"
#include "profile_test_util.h"

namespace born {

// Two ways to the same go statement.
[[gnu::noinline]] void create(weir::chan<int> c) {
  weir::go([c]() mutable { c.recv(); });
}
[[gnu::noinline]] void by_one_way(weir::chan<int> c) {
  create(c);
  weir::detail::keep_frame();
}
[[gnu::noinline]] void by_another(weir::chan<int> c) {
  create(c);
  weir::detail::keep_frame();
}
[[gnu::noinline]] void by_timer(weir::chan<int> c) {
  weir::after_func(std::chrono::milliseconds(1), [c]() mutable { c.recv(); });
  weir::detail::keep_frame();
}

}  // namespace born

namespace weir::profiler {
namespace {

using namespace weir::profiler::testing;

// A snapshot with three goroutines created by one way, and one by each other.
Snapshot create_some(bool with_stacks) {
  Snapshot s;
  run([&] {
    auto c = make_chan<int>();
    const bool former = set_creation_stacks(with_stacks);
    const volatile int three = 3;  // not unrolled: one call is to create all of them
    for (int i = 0; i < three; i++) born::by_one_way(c);
    born::by_another(c);
    born::by_timer(c);
    const auto waiting = [](const Snapshot& all) {
      uint64_t n = 0;
      for (const Group& g : all.groups) n += g.wait_reason == "chan receive" ? g.count : 0;
      return n;
    };
    EXPECT_TRUE(weir::testing::eventually([&] {
      s = capture();
      return waiting(s) >= 5;
    }));
    set_creation_stacks(former);
    for (int i = 0; i < 5; i++) c.send(i);
    EXPECT_TRUE(weir::testing::settle());
  });
  return s;
}

TEST(CreationProfile, GoroutinesByTheStackThatCreatedThem) {
  const Snapshot s = create_some(true);
  expect_sound(s);
  const Profile p = creation_profile(s);
  EXPECT_EQ(sum(p, 0, "born::by_one_way"), 3);
  EXPECT_EQ(sum(p, 0, "born::by_another"), 1);
  EXPECT_EQ(sum(p, 0, "born::create"), 4);
  EXPECT_EQ(sum(p, 0, "born::by_timer"), 1) << "its creator is who set the timer";
  EXPECT_EQ(sum(p, 0), static_cast<int64_t>(s.total));
  for (const Profile::Sample& sample : p.samples) {
    if (calls(p, sample, "born::create")) {
      EXPECT_FALSE(p.symbols.stacks[sample.stack].truncated);
    }
  }

  const std::string peek = pprof("-peek='born::create$'", p);
  EXPECT_NE(peek.find("born::by_one_way"), peek.npos) << peek;
  EXPECT_NE(peek.find("born::by_another"), peek.npos) << peek;
  EXPECT_NE(pprof("-raw", p).find("creation/count"), std::string::npos);
  const std::string text = written(write_debug1, p);
  EXPECT_EQ(text.rfind("creation profile: total " + std::to_string(s.total) + "\n", 0), 0U) << text;
  EXPECT_NE(text.find("\n3 @ 0x"), text.npos) << text;
}

TEST(CreationProfile, ThePlaceAloneWhereNoStackWasRecorded) {
  const Snapshot s = create_some(false);
  for (const Group& g : s.groups) EXPECT_EQ(g.creation_stack, kNone);
  const Profile p = creation_profile(s);
  EXPECT_EQ(sum(p, 0, "born::create"), 4);
  EXPECT_EQ(sum(p, 0, "born::by_one_way"), 0);
  ASSERT_EQ(p.comments.size(), 1U);
  EXPECT_NE(p.comments[0].find("WEIR_CREATION_STACKS=1"), std::string::npos);
  EXPECT_NE(pprof("-comments", p).find("WEIR_CREATION_STACKS=1"), std::string::npos);
  EXPECT_NE(written(write_debug1, p).find("# "), std::string::npos);
}

TEST(CreationProfile, JsonHasTheStack) {
  const Snapshot s = create_some(true);
  const std::string json = written(write_json, s);
  EXPECT_NE(json.find("\"creation_stack\":"), json.npos);
}

TEST(CreationProfile, AStackThatIsNoIndexIsPassedOver) {
  Snapshot s;
  Group& g = s.groups.emplace_back();
  g.count = 2;
  g.creation_stack = 17;
  g.created_by = 4711;
  const Profile p = creation_profile(s);
  EXPECT_EQ(sum(p, 0), 2);
  EXPECT_NE(pprof("-top", p).find("[stack unavailable]"), std::string::npos);
}

TEST(Profile, DeltaIsWhatChanged) {
  Profile from, to;
  for (Profile* p : {&from, &to}) {
    p->sample_types = {{"x", "count"}};
    for (uint32_t i = 0; i < 3; i++) {
      p->symbols.frames.push_back({"f" + std::to_string(i), "f.cc", 1, 0, false});
      p->symbols.locations.push_back({0x1000 + i, 0, {i}});
    }
  }
  from.symbols.stacks = {{{0}, false}, {{1}, false}, {{2}, false}};
  from.samples = {{0, {5}, {}}, {1, {4}, {}}, {2, {3}, {}}};
  to.symbols.stacks = {{{1}, false}, {{0}, false}};
  to.samples = {{0, {4}, {}}, {1, {7}, {}}, {1, {2}, {{"k", "v"}}}};
  from.time_ns = 1000;
  to.time_ns = 3000;
  const Profile d = delta(from, to);
  EXPECT_EQ(d.duration_ns, 2000);
  EXPECT_EQ(sum(d, 0, "f0"), 4) << "2 more, and 2 with a label";
  EXPECT_EQ(sum(d, 0, "f1"), 0);
  EXPECT_EQ(sum(d, 0, "f2"), -3);
  EXPECT_EQ(d.samples.size(), 3U);
}

TEST(ThreadcreateProfile, CountsTheThreadsOfTheScheduler) {
  Profile p;
  run([&] { p = threadcreate_profile(); }, {.maxprocs = 2});
  EXPECT_GE(sum(p, 0), 1);
  EXPECT_NE(pprof("-raw", p).find("threadcreate/count"), std::string::npos);
  EXPECT_EQ(written(write_debug1, p).rfind("threadcreate profile: total ", 0), 0U);
  const std::string legacy = pprof("-symbolize=none -raw", p, write_debug1);
  EXPECT_NE(legacy.find("threadcreate/count"), legacy.npos) << legacy;
}

}  // namespace
}  // namespace weir::profiler
