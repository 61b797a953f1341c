// Findings -> JUnit's XML.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include <weir/profiler/report.h>

#include "report_test_util.h"

namespace weir::profiler {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::process_with;
using testing::report_of;
using testing::reported;
using testing::written;

std::string junit(const Report& r) { return written(write_report_junit, r); }

TEST(FindingJunit, ATestcaseForEachFinding) {
  Finding second = reported(Kind::nil_channel, Certainty::certain);
  second.test = "Suite.test";
  const std::string text = junit(report_of({process_with({reported(), second})}));
  EXPECT_THAT(text, HasSubstr("<testsuites name=\"weir\" tests=\"2\" failures=\"2\" skipped=\"0\" "
                              "errors=\"0\">"));
  EXPECT_THAT(text, HasSubstr("<testsuite name=\"zoo\" tests=\"2\" failures=\"2\" skipped=\"0\" "
                              "errors=\"0\" time=\"0\" timestamp=\"2026-11-18T11:06:40\">"));
  EXPECT_THAT(text, HasSubstr("<testcase classname=\"zoo\" name=\"chan_send in zoo::send, created "
                              "by zoo::start\" file=\"zoo/send.cc\" line=\"18\" time=\"0\">"));
  EXPECT_THAT(text, HasSubstr("<failure type=\"likely\" message=\"3 goroutines wait to send on "
                              "channels from which nobody receives.\">likely: 3 goroutines"));
  EXPECT_THAT(text, HasSubstr("classname=\"Suite.test\" name=\"nil_channel"));
}

TEST(FindingJunit, ACleanProcessPasses) {
  const std::string text = junit(report_of({process_with({})}));
  EXPECT_THAT(text, HasSubstr("tests=\"1\" failures=\"0\""));
  EXPECT_THAT(text,
              HasSubstr("<testcase classname=\"zoo\" name=\"no goroutine leaks\" time=\"0\"/>"));
  EXPECT_THAT(junit(Report()), HasSubstr("tests=\"0\" failures=\"0\" skipped=\"0\" errors=\"0\""));
}

TEST(FindingJunit, WhatIsKnownIsSkipped) {
  Finding f = reported();
  f.known = true;
  const std::string text = junit(report_of({process_with({f})}));
  EXPECT_THAT(text, HasSubstr("failures=\"0\" skipped=\"1\""));
  EXPECT_THAT(
      text, AllOf(HasSubstr("<skipped message=\"known: 3 goroutines"), Not(HasSubstr("<failure"))));
}

TEST(FindingJunit, WhatCouldNotBeSeenIsAnError) {
  Report r = report_of({process_with({})});
  r.notes = {"One file was not readable."};
  EXPECT_THAT(junit(r), AllOf(HasSubstr("errors=\"0\""), HasSubstr("not readable")));
  r.complete = false;
  EXPECT_THAT(junit(r), AllOf(HasSubstr("tests=\"2\" failures=\"0\" skipped=\"0\" errors=\"1\""),
                              HasSubstr("<error type=\"incomplete\"")));
}

TEST(FindingJunit, NothingEndsATagThatIsNotOurs) {
  const std::string text = junit(testing::evil());
  EXPECT_THAT(text, AllOf(HasSubstr("&lt;&amp;&quot;'&gt;]]&gt;"), HasSubstr("\\x1b"),
                          HasSubstr("\\u202e"), HasSubstr("\\xff")));
  for (const char* const bad : {"\x1b", "\r", "\xff", "<&", "]]>"}) {
    EXPECT_THAT(text, Not(HasSubstr(bad)));
  }
}

TEST(FindingJunit, StopsWhenTheReaderIsGone) { testing::expect_stops(write_report_junit); }

}  // namespace
}  // namespace weir::profiler
