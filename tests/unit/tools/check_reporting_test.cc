// What `weir leaks` and `weir check` make of findings: those of one program together, which count,
// and how a command ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <string>
#include <vector>

#include "check_run.h"
#include "failure.h"
#include "report_test_util.h"
#include "reporting.h"

namespace weir::tools {
namespace {

using profiler::Certainty;
using profiler::Finding;
using profiler::Findings;
using profiler::Kind;
using profiler::Report;
using profiler::testing::process_with;
using profiler::testing::report_of;
using profiler::testing::reported;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Merge, ProcessesOfOneProgramAreOne) {
  Finding more = reported();
  more.certainty = Certainty::certain;
  more.count = 4;
  more.goids = {1};
  std::vector<Findings> all = {process_with({reported()}, "tests"), process_with({}, "other"),
                               process_with({more}, "tests")};
  merge(all);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].target, "other");
  EXPECT_EQ(all[1].target, "tests");
  EXPECT_EQ(all[1].goroutines, 240U);
  EXPECT_THAT(all[1].notes, ElementsAre("Of 2 processes."));
  ASSERT_EQ(all[1].findings.size(), 1U);
  EXPECT_EQ(all[1].findings[0].count, 7U);
  EXPECT_EQ(all[1].findings[0].certainty, Certainty::certain);
  EXPECT_TRUE(all[1].findings[0].goids.empty());
}

TEST(Merge, TestsAndSitesStayApart) {
  Finding of_test = reported(), elsewhere = reported();
  of_test.test = "Suite.test";
  elsewhere.site = 1;
  std::vector<Findings> all = {process_with({reported()}), process_with({of_test, elsewhere})};
  merge(all);
  EXPECT_EQ(all[0].findings.size(), 3U);
}

TEST(Reporting, WhatDoesNotCountIsLeftOut) {
  ReportOptions options;
  options.min_certainty = "likely";
  options.ignore = {"nothing", "zoo::ignored"};
  Finding ignored = reported();
  ignored.blocked_at.function = "zoo::ignored";
  Report r =
      report_of({process_with({reported(), ignored, reported(Kind::sleep, Certainty::suspect),
                               reported(Kind::nil_channel, Certainty::certain)})});
  const Verdict v = Reporting(options).judge(r, true);
  EXPECT_EQ(v.fresh, 2U);
  EXPECT_EQ(v.text(), "2 leaks");
  EXPECT_THAT(r.notes, ElementsAre(HasSubstr("1 finding is less than likely")));
}

TEST(Reporting, RefusesBeforeAnythingIsRun) {
  const auto refusal = [](ReportOptions options) {
    try {
      Reporting reporting(options);
    } catch (const std::runtime_error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  ReportOptions ignore, baseline, root, output;
  output.output = "/nowhere/report.xml";
  ignore.ignore = {"("};
  baseline.baseline = "/nowhere/known.json";
  root.root = "/nowhere";
  EXPECT_THAT(refusal(ignore), HasSubstr("not a regular expression"));
  EXPECT_THAT(refusal(baseline), HasSubstr("/nowhere/known.json: there is no such baseline"));
  EXPECT_THAT(refusal(output), HasSubstr("/nowhere/report.xml: No such file"));
  EXPECT_THAT(refusal(root), HasSubstr("--root=/nowhere: No such file"));
}

TEST(Ending, AsAShellPutsIt) {
  EXPECT_EQ((Ending{3, 0}).exit_status(), 3);
  EXPECT_EQ((Ending{3, 0}).text(), "exited with status 3");
  EXPECT_EQ((Ending{0, SIGTERM}).exit_status(), 143);
  EXPECT_EQ((Ending{0, SIGTERM}).text(), "was killed by SIGTERM");
}

TEST(RunChild, HowItEndsAndWhatItSees) {
  const HeldSignals signals;
  EXPECT_EQ(run_child(signals, {"true"}, {}).exit_status(), 0);
  EXPECT_EQ(run_child(signals, {"sh", "-c", "exit 7"}, {}).status, 7);
  EXPECT_EQ(run_child(signals, {"sh", "-c", "kill -KILL $$"}, {}).signal, SIGKILL);
  EXPECT_EQ(run_child(signals, {"sh", "-c", "test \"$WEIR_ONE\" = 'a b' && test -n \"$PATH\""},
                      {{"WEIR_ONE", "a b"}})
                .status,
            0);
  try {
    run_child(signals, {"weir-no-such-command"}, {});
    ADD_FAILURE() << "was run";
  } catch (const Failure& e) {
    EXPECT_STREQ(e.what(), "weir-no-such-command: no such command");
  }
}

}  // namespace
}  // namespace weir::tools
