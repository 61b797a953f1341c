// Prometheus' text format: escapes and numbers; the metrics, as its own tool reads them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <limits>
#include <map>
#include <sstream>
#include <string>

#include "routes/exposition.h"
#include "routes/metrics.h"

namespace weir::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Exposition, EscapesWhatTheFormatWants) {
  Exposition e;
  e.family("a_b", Exposition::gauge, "one \\ two\nthree \"four\"");
  e.sample(1, {{"k", "x\"y\\z\n"}, {"l", "é"}});
  e.sample(-2.5, {}, "_sum");
  EXPECT_EQ(e.take(),
            "# HELP a_b one \\\\ two\\nthree \"four\"\n"
            "# TYPE a_b gauge\n"
            "a_b{k=\"x\\\"y\\\\z\\n\",l=\"é\"} 1\n"
            "a_b_sum -2.5\n");
}

TEST(Exposition, Numbers) {
  EXPECT_EQ(exposed(0), "0");
  EXPECT_EQ(exposed(1.5e-9), "1.5e-09");
  EXPECT_EQ(exposed(std::nan("")), "NaN");
  EXPECT_EQ(exposed(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(exposed(-std::numeric_limits<double>::infinity()), "-Inf");
  Exposition e;
  e.single("n", Exposition::counter, "n", UINT64_MAX);
  EXPECT_THAT(e.take(), HasSubstr("n 18446744073709551615\n")) << "not rounded here";
}

Metrics some() {
  Metrics m;
  m.sched.goroutines = 7;
  m.sched.latency[0] = 2;
  m.sched.latency[3] = 5;
  m.sched.latency[introspect::kLatencyBuckets - 1] = 1;
  m.sched.latency_ns = 1'500'000'000;
  m.census.states[static_cast<size_t>(introspect::State::running)] = 3;
  m.captures = {2, 3'000'000, 7000, 1'000'000, 5000};
  m.version = "1.2\"3";
  return m;
}

// Series -> value, in the order of the names.
std::map<std::string, std::string> series(const std::string& text) {
  std::map<std::string, std::string> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const size_t space = line.rfind(' ');
    EXPECT_TRUE(all.emplace(line.substr(0, space), line.substr(space + 1)).second) << line;
  }
  return all;
}

TEST(Metrics, HistogramIsCumulativeInSeconds) {
  const auto all = series(exposition(some()));
  EXPECT_EQ(all.at("weir_sched_latency_seconds_bucket{le=\"6.4e-08\"}"), "2");
  EXPECT_EQ(all.at("weir_sched_latency_seconds_bucket{le=\"2.56e-07\"}"), "2");
  EXPECT_EQ(all.at("weir_sched_latency_seconds_bucket{le=\"5.12e-07\"}"), "7");
  EXPECT_EQ(all.at("weir_sched_latency_seconds_bucket{le=\"4.294967296\"}"), "7");
  EXPECT_EQ(all.at("weir_sched_latency_seconds_bucket{le=\"+Inf\"}"), "8");
  EXPECT_EQ(all.at("weir_sched_latency_seconds_count"), "8");
  EXPECT_EQ(all.at("weir_sched_latency_seconds_sum"), "1.5");
}

TEST(Metrics, UnitsAreSecondsAndNamesAreTold) {
  const auto all = series(exposition(some()));
  EXPECT_EQ(all.at("go_goroutines"), "7");
  EXPECT_EQ(all.at("weir_goroutines{state=\"running\"}"), "3");
  EXPECT_EQ(all.at("weir_goroutines_waiting{reason=\"chan receive (nil chan)\"}"), "0");
  EXPECT_EQ(all.at("weir_capture_duration_seconds_sum"), "0.003");
  EXPECT_EQ(all.at("weir_capture_duration_seconds_count"), "2");
  EXPECT_EQ(all.at("weir_capture_longest_hold_seconds"), "7e-06");
  EXPECT_EQ(all.at("weir_capture_last_longest_hold_seconds"), "5e-06");
  EXPECT_EQ(all.at("weir_build_info{version=\"1.2\\\"3\"}"), "1");
}

TEST(Metrics, WhatTheKernelDoesNotTellIsLeftOut) {
  EXPECT_THAT(exposition(some()), Not(HasSubstr("process_")));
  Metrics m = some();
  m.process.open_fds = 0;
  EXPECT_THAT(exposition(m), HasSubstr("\nprocess_open_fds 0\n"));
  m.process = process_stats();
  const auto all = series(exposition(m));
  for (const char* name :
       {"process_cpu_seconds_total", "process_start_time_seconds", "process_resident_memory_bytes",
        "process_virtual_memory_bytes", "process_open_fds", "process_max_fds"}) {
    ASSERT_TRUE(all.contains(name)) << name;
    EXPECT_GT(std::stod(all.at(name)), 0) << name;
  }
  EXPECT_NEAR(std::stod(all.at("process_start_time_seconds")), static_cast<double>(time(nullptr)),
              3600);
}

}  // namespace
}  // namespace weir::http
