// parse_debug1: Go's and ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <weir/profiler/encode.h>
#include <weir/profiler/parse.h>

#include "parse_util.h"
#include "reader_process.h"
#include "snapshot_builder.h"

namespace {

using namespace weir::profiler;
using weir::profiler::testing::fixture;
using weir::profiler::testing::refusal;
using weir::profiler::testing::SnapshotBuilder;
using weir::profiler::testing::written;

std::vector<std::string> functions(const Snapshot& s, const Group& g) {
  std::vector<std::string> all;
  for (const uint32_t l : s.stacks[g.stack].locations) {
    for (const uint32_t f : s.locations[l].frames) all.push_back(s.frames[f].function);
  }
  return all;
}

TEST(ParseDebug1, CountsAddressesLabelsAndNames) {
  const Snapshot s = parse(fixture("handmade-goroutineleak-debug1.txt"));
  ASSERT_EQ(s.groups.size(), 2U);
  EXPECT_EQ(s.total, 3U);
  EXPECT_FALSE(s.truncated);
  const Group& g = s.groups[0];
  EXPECT_EQ(g.count, 2U);
  EXPECT_TRUE(g.leaked);
  EXPECT_TRUE(g.members.empty());
  EXPECT_EQ(g.labels, (std::vector<std::pair<std::string, std::string>>{{"alpha", "v \"2\""},
                                                                        {"zeta", "v1"}}));
  EXPECT_EQ(functions(s, g), (std::vector<std::string>{"[runtime]", "[runtime]", "[runtime]",
                                                       "main.worker", "[runtime]"}));
  const Location& worker = s.locations[s.stacks[g.stack].locations[3]];
  EXPECT_EQ(worker.address, 0x4b515bU);
  EXPECT_EQ(s.frames[worker.frames[0]],
            (Frame{"main.worker", "/src/app/main.go", 13, 0x1a, false}));
  EXPECT_EQ(s.groups[1].wait_reason, "sync.WaitGroup.Wait");
  EXPECT_EQ(s.groups[1].object_kind, "waitgroup");
}

TEST(ParseDebug1, GosTextIsWrittenLetterByLetter) {
  std::string text = fixture("go1.19-debug1.txt");
  // Go shows its own function at the root of the main goroutine, we do not.
  const size_t main = text.find("#\t0x43af31\truntime.main");
  ASSERT_NE(main, text.npos);
  text.erase(main, text.find('\n', main) + 1 - main);
  std::string back = written(write_debug1, parse(text));
  // Our lines, which Go's readers pass over.
  for (size_t at; (at = back.find("\n# state: ")) != back.npos;) {
    back.erase(at, back.find('\n', at + 1) - at);
  }
  size_t same = 0, records = 0;
  for (size_t at = text.find('\n') + 1; at < text.size();) {
    const size_t end = text.find("\n\n", at) + 2;
    ++records;
    same += back.find(text.substr(at, end - at)) != back.npos;
    at = end;
  }
  EXPECT_GE(records, 20U);
  EXPECT_EQ(same, records);
}

TEST(ParseDebug1, StatesTimesAndCreatorsAreReadBack) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack({b.call(0x20, "worker()", "w.cc", 13, 0x1a)});
  Group& waiting = b.counted(stack, "chan receive", 3);
  waiting.created_by = b.call(0x500, "zoo::start()", "zoo.cc", 50, 2);
  waiting.wait_ns = 90'061'500'000'000;
  waiting.oldest_ns = 60'000'000'000'000;
  Group& one = b.counted(stack, "select, thread", 1);
  one.wait_ns = one.oldest_ns = 1'250'000;
  b.counted(stack, "running", 2);
  b.counted(stack, "", 1);
  const std::string text = written(write_debug1, b.snapshot);
  const Snapshot s = parse(text);
  ASSERT_EQ(s.groups.size(), 4U);
  const auto group = [&](std::string_view reason) {
    return *std::find_if(s.groups.begin(), s.groups.end(),
                         [&](const Group& g) { return g.wait_reason == reason; });
  };
  const Group receive = group("chan receive");
  EXPECT_EQ(receive.count, 3U);
  EXPECT_EQ(receive.wait_ns, 90'061'500'000'000);
  EXPECT_EQ(receive.oldest_ns, 60'000'000'000'000);
  EXPECT_EQ(s.frames[s.locations[receive.created_by].frames[0]],
            (Frame{"zoo::start()", "zoo.cc", 50, 0, false}));
  EXPECT_EQ(group("select, thread").oldest_ns, 1'250'000);
  EXPECT_EQ(group("running").state, State::waiting);
  EXPECT_EQ(group("").state, State::running);
  EXPECT_EQ(written(write_debug1, s), text);
  // What does not add up is not believed.
  const Snapshot other =
      parse("goroutine profile: total 5\n5 @ 0x21\n# state: 3 select\n#\t0x20\tf+0x1\ta.cc:1\n\n");
  ASSERT_EQ(other.groups.size(), 1U);
  EXPECT_EQ(other.groups[0].count, 5U);
}

TEST(ParseDebug1, InlinedCallsAndRecursionShareAnAddress) {
  SnapshotBuilder b;
  const uint32_t inner = b.frame("inner", "/a.cc", 1, 9), outer = b.frame("outer", "/a.cc", 2, 9);
  const uint32_t l = b.location(0x20, {inner, outer});
  b.counted(
      b.stack({b.runtime_call(0x10, "weir::park"), l, l, l, b.call(0x30, "main", "/a.cc", 3, 1)}),
      "", 7);
  const Snapshot s = parse_debug1(written(write_debug1, b.snapshot));
  EXPECT_EQ(functions(s, s.groups[0]),
            (std::vector<std::string>{"[runtime]", "inner", "outer", "inner", "outer", "inner",
                                      "outer", "main"}));
  EXPECT_EQ(s.stacks[0].locations[1], s.stacks[0].locations[2]);
}

TEST(ParseDebug1, OursComesBackWithTruncatedMissingAndUnknown) {
  SnapshotBuilder b;
  b.counted(b.stack({b.call(0x10, "f", "", 0, 1)}, true), "", 5);
  b.counted(b.stack({}), "", 4);
  b.counted(b.stack({b.location(0x30, {})}), "", 3);
  const std::string text = written(write_debug1, b.snapshot);
  const Snapshot s = parse_debug1(text);
  EXPECT_TRUE(s.stacks[s.groups[0].stack].truncated);
  EXPECT_TRUE(s.stacks[s.groups[1].stack].locations.empty());
  EXPECT_TRUE(s.locations[s.stacks[s.groups[2].stack].locations[0]].frames.empty());
  EXPECT_EQ(written(write_debug1, s), text);
}

TEST(ParseDebug1, ATextThatIsCutAnywhereGivesItsWholeRecords) {
  const std::string text = fixture("go1.19-debug1.txt");
  const Snapshot whole = parse(text);
  for (size_t cut = text.find('\n') + 1; cut < text.size(); ++cut) {
    const Snapshot s = parse_debug1(text.substr(0, cut));
    ASSERT_TRUE(s.truncated) << cut;
    ASSERT_LE(s.total, whole.total) << cut;
    for (const Frame& f : s.frames) {
      ASSERT_NE(std::find(whole.frames.begin(), whole.frames.end(), f), whole.frames.end()) << cut;
    }
  }
  EXPECT_FALSE(whole.truncated);
}

TEST(ParseDebug1, ErrorsNameTheLine) {
  const std::string head = "goroutine profile: total 1\n";
  EXPECT_EQ(refusal(parse_debug1, "x\n"),
            "debug=1: line 1: expected `goroutine profile: total N`, found \"x\"");
  EXPECT_EQ(refusal(parse_debug1, head + "1 @ 0x1 y\n"),
            "debug=1: line 2: expected `COUNT @ 0xADDRESS..`, found \"1 @ 0x1 y\"");
  EXPECT_EQ(refusal(parse_debug1, head + "1 @ 0x1\nmain.f\n\n"),
            "debug=1: line 3: expected a line with # or an empty one, found \"main.f\"");
  EXPECT_EQ(refusal(parse_debug1, head + "1 @ 0x1\n# labels: {x\n\n"),
            "debug=1: line 3: expected {\"key\":\"value\", ..}, found \"{x\"");
}

}  // namespace
