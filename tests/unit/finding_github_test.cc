// Findings -> GitHub's workflow commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

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
using ::testing::StartsWith;
using testing::written;

std::vector<std::string> lines(const Report& r) {
  std::istringstream text(written(write_report_github, r));
  std::vector<std::string> all;
  for (std::string line; std::getline(text, line);) all.push_back(line);
  return all;
}

TEST(FindingGithub, AnErrorAtTheLineWhereItIsStuck) {
  const auto all = lines(report_of({process_with({reported()})}));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_THAT(all[0], StartsWith("::error file=zoo/send.cc,line=18,title=goroutine leak%3A "
                                 "chan_send (likely)::3 goroutines wait to send"));
  EXPECT_THAT(all[0], HasSubstr("%0Acreated by zoo::start  /src/zoo/start.cc:20"));
  EXPECT_EQ(all[1], "::notice title=goroutine leaks::1 leak in 1 process");
}

TEST(FindingGithub, ShowsThoseThatAreWorthItMost) {
  std::vector<Finding> many(20, reported(Kind::sleep, Certainty::suspect));
  many.push_back(reported(Kind::nil_channel, Certainty::certain));
  const auto all = lines(report_of({process_with(many), process_with({reported()})}));
  ASSERT_EQ(all.size(), 11U);
  EXPECT_THAT(all[0], HasSubstr("nil_channel (certain)"));
  EXPECT_THAT(all[1], HasSubstr("chan_send (likely)"));
  EXPECT_THAT(all[10], HasSubstr("22 leaks in 2 processes; 10 are shown here"));
}

TEST(FindingGithub, KnownOnesAreCounted) {
  Finding f = reported();
  f.known = true;
  EXPECT_EQ(lines(report_of({process_with({f})})),
            (std::vector<std::string>{"weir: no new goroutine leaks in 1 process, 1 known"}));
  EXPECT_EQ(lines(report_of({process_with({})})),
            (std::vector<std::string>{"weir: no goroutine leaks in 1 process"}));
}

// A library's line is no line of the repository.
TEST(FindingGithub, AFileOutsideOfTheRepositoryIsNotNamed) {
  Finding f = reported();
  f.blocked_at.file = "/usr/include/lib.h";
  EXPECT_THAT(lines(report_of({process_with({f})}))[0],
              StartsWith("::error file=zoo/send.cc,line=18,"));
  f.stack.clear();
  EXPECT_THAT(lines(report_of({process_with({f})}))[0],
              StartsWith("::error file=zoo/start.cc,line=20,"));
  f.created_by.file.clear();
  EXPECT_THAT(lines(report_of({process_with({f})}))[0], StartsWith("::error title="));
  f.blocked_at.file = "zoo/../lib/wait.cc";  // as a compiler was given it
  EXPECT_THAT(lines(report_of({process_with({f})}))[0], StartsWith("::error file=lib/wait.cc,"));
  f.blocked_at.file = "../../etc/passwd";
  EXPECT_THAT(lines(report_of({process_with({f})}))[0], StartsWith("::error title="));
}

TEST(FindingGithub, NoNameBeginsACommand) {
  const auto all = lines(testing::evil());
  ASSERT_EQ(all.size(), 2U);
  EXPECT_THAT(all[0], AllOf(StartsWith("::error file="), HasSubstr("%0A"), HasSubstr("%25"),
                            HasSubstr("\\x1b"), Not(HasSubstr("\x1b")), Not(HasSubstr("\r"))));
  const std::string properties = all[0].substr(8, all[0].find("::", 8) - 8);
  EXPECT_THAT(properties, AllOf(HasSubstr("title=goroutine leak%3A chan_send"), HasSubstr("%3A"),
                                HasSubstr("%2C"), HasSubstr("%25")));
  EXPECT_THAT(all[1], StartsWith("::notice title=goroutine leaks::"));
}

TEST(FindingGithub, StopsWhenTheReaderIsGone) {
  const Report r = report_of({process_with({reported()})});
  EXPECT_FALSE(write_report_github(r, [](std::string_view) { return false; }));
}

}  // namespace
}  // namespace weir::profiler
