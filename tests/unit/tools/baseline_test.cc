// The baseline: which leaks it has, and its file.
#include "baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "failure.h"
#include "report_test_util.h"

namespace weir::tools {
namespace {

using profiler::Finding;
using profiler::Identity;
using profiler::Kind;
using profiler::Report;
using profiler::testing::process_with;
using profiler::testing::report_of;
using profiler::testing::reported;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Identity kSend{"chan_send", "zoo::send", "zoo::start"};
const Identity kNil{"nil_channel", "zoo::send", "zoo::start"};

std::string refusal(const std::string& text) {
  try {
    (void)Baseline::parse("known.json", text);
  } catch (const Failure& e) {
    return e.what();
  }
  ADD_FAILURE() << "was taken: " << text;
  return {};
}

TEST(Baseline, IsWrittenForReviews) {
  Baseline b;
  EXPECT_EQ(b.text(), "{\"schema\":\"weir.baseline/1\",\n \"leaks\":[]}\n");
  b.add(kNil);
  b.add(kSend);
  b.add(kSend);
  b.add({"sleep", "", ""});  // nothing tells it from others
  EXPECT_EQ(
      b.text(),
      "{\"schema\":\"weir.baseline/1\",\n"
      " \"leaks\":[\n"
      "  {\"kind\":\"chan_send\",\"blocked_at\":\"zoo::send\",\"created_by\":\"zoo::start\"},\n"
      "  {\"kind\":\"nil_channel\",\"blocked_at\":\"zoo::send\",\"created_by\":\"zoo::start\"}\n"
      "]}\n");
  EXPECT_EQ(Baseline::parse("f", b.text()).leaks(), b.leaks());
}

TEST(Baseline, MarksWhatItHas) {
  Baseline b;
  b.add(kSend);
  b.add({"sleep", "gone", ""});
  Finding moved = reported();
  moved.blocked_at.line = 77;
  moved.count = 1'000'000;
  Report r = report_of({process_with({moved, reported(Kind::nil_channel)})});
  EXPECT_THAT(b.mark(r), ElementsAre(Identity{"sleep", "gone", ""}));
  EXPECT_TRUE(r.all[0].findings[0].known);
  EXPECT_FALSE(r.all[0].findings[1].known);
  EXPECT_TRUE(r.baseline);
}

TEST(Baseline, RefusesWhatIsNone) {
  for (const char* const text :
       {"", "garbage", "{", "[]", "{}", R"({"schema":"weir.findings/1","leaks":[]})",
        R"({"schema":"weir.baseline/1"})", R"({"schema":"weir.baseline/1","leaks":{}})",
        R"({"schema":"weir.baseline/1","leaks":[7]})",
        R"({"schema":"weir.baseline/1","leaks":[{"kind":"sleep","blocked_at":"f"}]})",
        R"({"schema":"weir.baseline/1","leaks":[{"kind":7,"blocked_at":"","created_by":""}]})"}) {
    EXPECT_THAT(refusal(text), HasSubstr("known.json: not a baseline: ")) << text;
  }
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("nested too deeply"));
}

TEST(Baseline, OfALaterVersionKeepsWhatItDoesNotKnow) {
  const Baseline b = Baseline::parse("f", R"({"schema":"weir.baseline/1","more":1,"leaks":[
      {"kind":"of_later","blocked_at":"f","created_by":"","why":"text"}]})");
  EXPECT_TRUE(b.has({"of_later", "f", ""}));
}

}  // namespace
}  // namespace weir::tools
