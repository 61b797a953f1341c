// /debug/sched: bounds of latency, and both of its forms. Parameters that may be given many times.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "routes/params.h"
#include "routes/sched_report.h"

namespace weir::http {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(SchedReport, LatencyBounds) {
  introspect::Sched s{};
  EXPECT_EQ(latency_below(s, 0.5), std::nullopt) << "nothing was measured";
  s.latency[0] = 50;
  s.latency[4] = 40;
  s.latency[7] = 9;
  s.latency[introspect::kLatencyBuckets - 1] = 1;
  EXPECT_EQ(latency_below(s, 0.5), 64);
  EXPECT_EQ(latency_below(s, 0.51), 64 << 4);
  EXPECT_EQ(latency_below(s, 0.9), 64 << 4);
  EXPECT_EQ(latency_below(s, 0.99), 64 << 7);
  EXPECT_EQ(latency_below(s, 1), std::nullopt) << "beyond the last bound";
}

SchedReport some() {
  SchedReport r;
  r.sched.gomaxprocs = 2;
  r.sched.idle_ps = 1;
  r.sched.goroutines = 12;
  r.sched.latency[1] = 4;
  r.sched.latency_ns = 400;
  r.procs = {{false, false, 3, 99, 5}, {true, false, 0, 7, 0}};
  r.census.states[static_cast<size_t>(introspect::State::waiting)] = 11;
  r.census.reasons[static_cast<size_t>(introspect::WaitReason::chan_receive)] = 11;
  r.stacks.reserved_bytes = 3 << 20;
  r.stack_bytes = 1536;
  return r;
}

TEST(SchedReport, TextHasUnits) {
  const std::string t = text(some());
  EXPECT_THAT(t, ContainsRegex("\n    chan receive +11\n"));
  EXPECT_THAT(t, ContainsRegex("\n   0  busy +3 +99 +5\n"));
  EXPECT_THAT(t, ContainsRegex("\n  p99 +< 128 ns\n"));
  EXPECT_THAT(t, ContainsRegex("\n  mean +100 ns\n"));
  EXPECT_THAT(t, ContainsRegex("\n  committed +1.5 KiB  have memory\n"));
  EXPECT_THAT(t, ContainsRegex("\n  reserved +3.0 MiB  of address space\n"));
  EXPECT_THAT(t, Not(HasSubstr("syscall"))) << "nobody is";
}

TEST(SchedReport, JsonHasEverything) {
  const auto j = nlohmann::json::parse(json(some()));
  EXPECT_EQ(j["schema"], "weir.sched/1");
  EXPECT_EQ(j["goroutines"]["total"], 12);
  EXPECT_EQ(j["goroutines"]["states"]["waiting"], 11);
  EXPECT_EQ(j["goroutines"]["waiting"]["chan receive"], 11);
  EXPECT_EQ(j["procs"]["each"].size(), 2u);
  EXPECT_EQ(j["procs"]["each"][0]["queue"], 3);
  EXPECT_EQ(j["latency"]["p50_ns"], 128);
  EXPECT_EQ(j["latency"]["count"], 4);
  EXPECT_EQ(j["latency"]["buckets"].size(), introspect::kLatencyBuckets);
  EXPECT_TRUE(j["latency"]["buckets"].back()["below_ns"].is_null());
  EXPECT_EQ(j["stacks"]["committed_bytes"], 1536);
}

TEST(Params, RepeatedOnesAreDecodedOneByOne) {
  Query q{"/", [](const std::string&) { return ""; }};
  q.behind = "label=a%3Db%2C+c&x=1&label=&label&lab%65l=%zz%4&label=d&label=%6";
  EXPECT_THAT(repeated(q, "label"), ElementsAre("a=b, c", "%zz%4", "d", "%6"));
  EXPECT_THAT(repeated(q, "nothing"), IsEmpty());
}

}  // namespace
}  // namespace weir::http
