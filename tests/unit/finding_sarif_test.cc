// Findings -> SARIF 2.1.0. (tests/integration/check_test.py validates it with the schema.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include <weir/profiler/report.h>

#include "report_test_util.h"

namespace weir::profiler {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::process_with;
using testing::report_of;
using testing::reported;
using testing::written;

json sarif(const Report& r) {
  const json j = json::parse(written(write_report_sarif, r));
  EXPECT_EQ(j["version"], "2.1.0");
  EXPECT_EQ(j["runs"].size(), 1U);
  return j["runs"][0];
}

TEST(FindingSarif, AResultForEachFinding) {
  const json run =
      sarif(report_of({process_with({reported(Kind::nil_channel, Certainty::certain)}),
                       process_with({reported(), reported(Kind::sleep, Certainty::suspect)})}));
  EXPECT_EQ(run["tool"]["driver"]["name"], "weir");
  EXPECT_EQ(run["tool"]["driver"]["version"], "1.2.3");
  EXPECT_EQ(run["originalUriBaseIds"]["%SRCROOT%"]["uri"], "file:///src/");
  ASSERT_EQ(run["results"].size(), 3U);
  EXPECT_EQ(run["results"][0]["level"], "error");
  EXPECT_EQ(run["results"][1]["level"], "warning");
  EXPECT_EQ(run["results"][2]["level"], "note");
  for (const json& result : run["results"]) {
    const json& rule = run["tool"]["driver"]["rules"][result["ruleIndex"].get<size_t>()];
    EXPECT_EQ(rule["id"], result["ruleId"]);
    EXPECT_FALSE(rule["help"]["text"].get<std::string>().empty());
  }
}

TEST(FindingSarif, SaysWhere) {
  const json result = sarif(report_of({process_with({reported()})}))["results"][0];
  const json& where = result["locations"][0];
  EXPECT_EQ(where["physicalLocation"]["artifactLocation"],
            json({{"uri", "zoo/send.cc"}, {"uriBaseId", "%SRCROOT%"}}));
  EXPECT_EQ(where["physicalLocation"]["region"]["startLine"], 18);
  EXPECT_EQ(where["logicalLocations"][0]["fullyQualifiedName"], "zoo::send");
  const json& related = result["relatedLocations"];
  ASSERT_EQ(related.size(), 3U);
  EXPECT_EQ(related[0]["message"]["text"], "The goroutine was created here.");
  EXPECT_EQ(related[0]["physicalLocation"]["artifactLocation"]["uri"], "zoo/start.cc");
  EXPECT_EQ(related[1]["physicalLocation"]["artifactLocation"]["uri"], "zoo/make.cc");
  const json& frames = result["stacks"][0]["frames"];
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[1]["location"]["physicalLocation"]["artifactLocation"],
            json({{"uri", "file:///usr/include/lib.h"}}));
  EXPECT_THAT(result["message"]["text"].get<std::string>(),
              HasSubstr("nobody receives. (chan_send, 3 goroutines"));
}

TEST(FindingSarif, TheFingerprintOutlivesLines) {
  const auto fingerprint = [](const Finding& f) {
    const json run = sarif(report_of({process_with({f})}));
    return run["results"][0]["partialFingerprints"]["goroutineLeak/v1"].get<std::string>();
  };
  Finding moved = reported(), other = reported();
  moved.blocked_at.line = 400;
  moved.goids = {1};
  moved.count = 1000;
  other.blocked_at.function = "zoo::other";
  EXPECT_EQ(fingerprint(moved), fingerprint(reported()));
  EXPECT_NE(fingerprint(other), fingerprint(reported()));
  EXPECT_EQ(fingerprint(reported()).size(), 16U);
}

TEST(FindingSarif, WhatIsKnownIsSuppressed) {
  Finding known = reported();
  known.known = true;
  Report r = report_of({process_with({known, reported()})});
  r.baseline = true;
  const json results = sarif(r)["results"];
  EXPECT_EQ(results[0]["baselineState"], "unchanged");
  EXPECT_EQ(results[0]["suppressions"][0]["kind"], "external");
  EXPECT_EQ(results[1]["baselineState"], "new");
  EXPECT_FALSE(results[1].contains("suppressions"));
  EXPECT_FALSE(
      sarif(report_of({process_with({reported()})}))["results"][0].contains("baselineState"));
}

TEST(FindingSarif, WithoutFindingsAndWithoutPlaces) {
  EXPECT_TRUE(sarif(Report())["results"].empty());
  EXPECT_TRUE(sarif(report_of({process_with({})}))["results"].empty());
  const json run = sarif(report_of({process_with({Finding()})}));
  EXPECT_TRUE(run["results"][0]["locations"].empty());
}

TEST(FindingSarif, SaysWhatWasNotSeen) {
  Report r = report_of({process_with({})});
  r.notes = {"Not readable."};
  r.complete = false;
  const json invocation = sarif(r)["invocations"][0];
  EXPECT_EQ(invocation["executionSuccessful"], false);
  EXPECT_EQ(invocation["toolExecutionNotifications"][0]["message"]["text"], "Not readable.");
}

TEST(FindingSarif, NamesAreEscapedForWhereTheyStand) {
  const json run = sarif(testing::evil());
  const json& result = run["results"][0];
  const std::string uri =
      result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].get<std::string>();
  EXPECT_THAT(uri, HasSubstr("%0A"));
  EXPECT_EQ(uri.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-._~/%"),
            uri.npos);
  EXPECT_THAT(result["message"]["text"].get<std::string>(), Not(HasSubstr("\x1b")));
}

TEST(FindingSarif, StopsWhenTheReaderIsGone) { testing::expect_stops(write_report_sarif); }

}  // namespace
}  // namespace weir::profiler
