// Causes of real Go programs: the right kinds of what their dumps tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include <weir/profiler/parse.h>

#include "causes_test_util.h"
#include "parse_util.h"

namespace weir::profiler {
namespace {

using causes::Suspicion;
using ::testing::Contains;
using testing::finding_of;
using testing::fixture;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::proven;
using ::testing::UnorderedElementsAre;

// By goid.
std::map<uint64_t, causes::Description> all_of(const Snapshot& s) {
  std::map<uint64_t, causes::Description> all;
  const Sites sites(s);
  for (const Site& site : sites.all()) {
    for (const uint32_t g : site.groups) {
      for (const Member& m : s.groups[g].members) {
        all.emplace(m.goid, causes::describe(s, site));
      }
    }
  }
  return all;
}

// By the line of the fixture's source that created them.
std::map<int, Kind> kinds_by_line(const Snapshot& s) {
  std::map<int, Kind> kinds;
  const Sites sites(s);
  for (const Site& site : sites.all()) {
    const Finding f = causes::describe(s, site).finding;
    if (f.blocked_at.file == "fixture/main.go") kinds[f.blocked_at.line] = f.kind;
  }
  return kinds;
}

TEST(GoCauses, EveryKindOfADebug2) {
  const Snapshot s = parse(fixture("go1.19-debug2.txt"));
  auto all = all_of(s);
  const std::map<uint64_t, Kind> expected = {
      {6, Kind::nil_channel},   {7, Kind::nil_channel}, {8, Kind::chan_receive},
      {9, Kind::chan_receive},  {11, Kind::chan_send},  {12, Kind::chan_send},
      {14, Kind::nil_channel},  {15, Kind::select},     {13, Kind::select_no_cases},
      {16, Kind::mutex},        {18, Kind::rwmutex},    {19, Kind::rwmutex},
      {20, Kind::waitgroup},    {21, Kind::cond},       {22, Kind::chan_receive},
      {34, Kind::mutex},        {35, Kind::sleep},      {36, Kind::chan_receive},
      {37, Kind::io_wait},      {38, Kind::syscall},    {39, Kind::syscall},
      {40, Kind::chan_receive}, {42, Kind::syscall},    {43, Kind::chan_receive},
      {44, Kind::spinning}};
  for (const auto& [goid, kind] : expected) {
    EXPECT_EQ(to_string(all.at(goid).finding.kind), to_string(kind)) << "goroutine " << goid;
  }
  EXPECT_EQ(all.at(8).finding.count, 3U);
  EXPECT_EQ(all.at(8).finding.blocked_at.function, "main.receive[...]");
  EXPECT_EQ(all.at(8).finding.created_by.line, 52);
  EXPECT_EQ(all.at(42).suspicion, Suspicion::healthy);  // waits for signals
  EXPECT_EQ(all.at(37).suspicion, Suspicion::healthy);  // accepts
  EXPECT_EQ(all.at(38).suspicion, Suspicion::weak);
  EXPECT_EQ(all.at(16).suspicion, Suspicion::plain);
  EXPECT_THAT(all.at(16).finding.evidence, Contains(HasSubstr("does not tell for how long")));

  const auto certain = proven(s);
  EXPECT_EQ(certain.size(), 4U);
  for (const uint64_t goid : {6, 7, 14}) {
    EXPECT_EQ(finding_of(certain, goid).kind, Kind::nil_channel);
  }
  EXPECT_EQ(finding_of(certain, 13).kind, Kind::select_no_cases);
}

// The source has counts only, and no wait reasons: the functions tell.
TEST(GoCauses, SemacquireIsToldApartInAProfile) {
  for (const char* const name : {"go1.19-goroutine.pb.gz", "go1.19-debug1.txt"}) {
    const Snapshot s = parse(fixture(name));
    const auto kinds = kinds_by_line(s);
    EXPECT_THAT(kinds, Contains(Pair(32, Kind::mutex))) << name;
    EXPECT_THAT(kinds, Contains(Pair(76, Kind::rwmutex))) << name;
    EXPECT_THAT(kinds, Contains(Pair(77, Kind::rwmutex))) << name;
    EXPECT_THAT(kinds, Contains(Pair(80, Kind::waitgroup))) << name;
    EXPECT_THAT(kinds, Contains(Pair(83, Kind::cond))) << name;
  }
}

TEST(GoCauses, LongWaitsHaveMinutes) {
  auto all = all_of(parse(fixture("handmade-go1.21-debug2.txt")));
  EXPECT_EQ(all.at(18).finding.kind, Kind::mutex);
  EXPECT_EQ(all.at(18).finding.oldest_wait_ns, 120'000'000'000);
  EXPECT_EQ(all.at(19).finding.kind, Kind::rwmutex);
  EXPECT_EQ(all.at(20).finding.oldest_wait_ns, 780'000'000'000);
  EXPECT_EQ(all.at(22).suspicion, Suspicion::weak);  // runs, and not known for how long
}

TEST(GoCauses, WhatGosLeakProfileHasProved) {
  const auto all = proven(parse(fixture("handmade-go1.27-debug2.txt")));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(finding_of(all, 20).kind, Kind::chan_send);
  EXPECT_EQ(finding_of(all, 21).kind, Kind::mutex);
  for (const Finding& f : all) {
    EXPECT_EQ(f.certainty, Certainty::certain);
    EXPECT_THAT(f.evidence, Contains(HasSubstr("goroutineleak")));
  }
  const auto counts = proven(parse(fixture("handmade-goroutineleak-debug1.txt")));
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].count + counts[1].count, 3U);
}

TEST(GoCauses, BodiesThatWereNotClosed) {
  const Snapshot s = parse(fixture("go1.19-http-debug2.txt"));
  const Sites sites(s);
  int found = 0;
  for (const Site& site : sites.all()) {
    const auto [f, level] = causes::describe(s, site);
    if (f.blocked_at.function == "net/http.(*persistConn).readLoop") {
      ++found;
      EXPECT_EQ(f.kind, Kind::http_body);
      EXPECT_EQ(level, Suspicion::strong);
      EXPECT_EQ(f.count, 3U);
    } else if (f.blocked_at.function == "net/http.(*persistConn).writeLoop") {
      ++found;
      EXPECT_EQ(f.kind, Kind::http_body);
      EXPECT_EQ(level, Suspicion::plain);  // an idle connection's looks the same
      EXPECT_EQ(f.count, 4U);
      EXPECT_THAT(f.evidence,
                  Contains(HasSubstr("4 goroutines that read for such connections, 3")));
    } else if (f.kind == Kind::io_wait && f.blocked_at.function.ends_with("Accept")) {
      EXPECT_EQ(level, Suspicion::healthy);
    } else {
      EXPECT_NE(f.kind, Kind::http_body) << f.blocked_at.function;
    }
  }
  EXPECT_EQ(found, 2);
}

// Where connections are idle, their writers are nothing but that.
TEST(GoCauses, IdleConnectionsAreNoBodies) {
  testing::SnapshotBuilder b;
  b.snapshot.source = "debug=2";
  const auto in = [&b](const std::string& function) {
    return b.stack({b.call(function.size(), "net/http.(*persistConn)." + function, "transport.go",
                           static_cast<int>(function.size()), 1)});
  };
  b.group(in("readLoop"), "IO wait", {2, 3, 4});
  b.group(in("writeLoop"), "select", {5, 6, 7});
  auto all = all_of(b.snapshot);
  EXPECT_EQ(all.at(5).finding.kind, Kind::select);
  EXPECT_EQ(all.at(5).suspicion, Suspicion::plain);
  EXPECT_EQ(all.at(2).finding.kind, Kind::io_wait);
}

TEST(GoCauses, TheRuntimesOwnAreHealthy) {
  testing::SnapshotBuilder b;
  b.snapshot.source = "debug=2";
  uint64_t goid = 2;
  for (const char* const reason : {"GC worker (idle)", "GC sweep wait", "GC scavenge wait",
                                   "force gc (idle)", "finalizer wait", "cleanup wait"}) {
    b.group(b.stack({b.call(goid, "runtime.gopark", "proc.go", 1, 1)}), reason, {goid});
    ++goid;
  }
  b.group(b.stack({b.call(0x99, "runtime.ensureSigM.func1", "signal_unix.go", 1, 1)}), "select",
          {goid});
  for (const auto& [g, description] : all_of(b.snapshot)) {
    EXPECT_EQ(description.suspicion, Suspicion::healthy) << g;
  }
}

}  // namespace
}  // namespace weir::profiler
