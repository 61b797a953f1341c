// parse_json: the very Snapshot that was written; what is refused.
#include <gtest/gtest.h>

#include <string>

#include <weir/profiler/encode.h>
#include <weir/profiler/parse.h>

#include "parse_util.h"
#include "reader_process.h"
#include "snapshot_builder.h"

namespace {

using namespace weir::profiler;
using weir::profiler::testing::refusal;
using weir::profiler::testing::SnapshotBuilder;
using weir::profiler::testing::written;

// Every member of every row has a value of its own.
Snapshot full() {
  SnapshotBuilder b;
  Snapshot& s = b.snapshot;
  s.duration_ns = -5;
  s.longest_hold_ns = INT64_MAX;
  s.requester_goid = UINT64_MAX;
  s.truncated = true;
  s.mappings.push_back({0x1000, UINT64_MAX, 0x10, "/bin/zoo \"\\\n\x01", "abcd"});
  const uint32_t l =
      b.location(UINT64_MAX, {b.frame("päth", "", -3, 9), b.runtime_frame("weir::x")}, 1);
  b.location(0, {});
  const uint32_t tcp = b.text("tcp"), local = b.text("127.0.0.1:80"), name = b.text("name");
  s.objects.push_back({"rwmutex", 0xbeef, l,  true, true, 1, 2, 3,  4,  5, 6,    true, 7,
                       0,         1,      -8, 9,    10,   1, 0, 11, 12, 1, true, true});
  Object io;
  io.kind = "io";
  io.fd = 3;
  io.send = true;
  io.network = tcp;
  io.local = local;
  s.objects.push_back(io);
  s.contexts.push_back({"cancel", "active", kNone, 4, 3, 2, -5, 6});
  Group& g = b.group(b.stack({l, 1}, true), "chan receive", {8, UINT64_MAX});
  g.object_kind = "chan";
  g.created_by = 1;
  g.thread = g.locked = g.leaked = true;
  g.labels = {{"", ""}, {"k", "v\x7f"}};
  g.wait_ns = 0;
  g.oldest_ns = 7;
  g.members[0] = {8, 1, -1, name, 1, 1, 2, 4096, 0};
  b.group(b.stack({}), "", {9}).state = State::copystack;
  b.counted(0, "select", UINT64_MAX);
  return s;
}

TEST(ParseJson, IsTheVerySnapshot) {
  EXPECT_EQ(parse_json(written(write_json, full())), full());
  EXPECT_EQ(parse_json(written(write_json, Snapshot{})), Snapshot{});
}

TEST(ParseJson, KeysThatAreNotKnownArePassedOver) {
  std::string text = written(write_json, full());
  text.insert(1, R"("new":{"a":[1,{"b":[]}],"c":1.5e9},"newer":[[[]]],"newest":1.5,)");
  const size_t member = text.find("{\"goid\"");
  text.insert(member + 1, R"("colour":["red",null],"weight":{"kg":0.5},)");
  EXPECT_EQ(parse_json(text), full());
}

// The text with `from` replaced by `to` is refused with `why`, whatever the byte.
void expect_refused(const std::string& from, const std::string& to, const std::string& why) {
  std::string text = written(write_json, full());
  const size_t at = text.find(from);
  ASSERT_NE(at, text.npos) << from;
  text.replace(at, from.size(), to);
  const std::string said = refusal(parse_json, text);
  EXPECT_TRUE(said.starts_with("JSON: ")) << said;
  EXPECT_TRUE(said.ends_with(why)) << said;
}

TEST(ParseJson, WhatIsWrongIsNamedWithItsPlace) {
  expect_refused("snapshot/1", "snapshot/2",
                 "schema: expected weir.snapshot/1, found \"weir.snapshot/2\"");
  expect_refused("\"pid\":4711", "\"pid\":\"x\"",
                 "expected a number from -9223372036854775808 to 9223372036854775807");
  expect_refused("\"pid\":4711", "\"pid\":1.5", "pid: expected a whole number of up to 64 bits");
  expect_refused("\"pid\":4711,", "", "expected the key pid");
  expect_refused("\"pid\":4711", "\"pid\":4711,\"pid\":1", "pid: found a second time");
  expect_refused("\"goid\":8", "\"goid\":-8",
                 "groups.members.goid: expected a number from 0 to 18446744073709551615");
  expect_refused("\"line\":-3", "\"line\":3000000000",
                 "frames.line: expected a number from -2147483648 to 2147483647");
  expect_refused("\"state\":\"waiting\"", "\"state\":\"wading\"",
                 "groups.state: expected a state such as \"waiting\", found \"wading\"");
  expect_refused("\"thread\":true", "\"thread\":1", "groups.thread: expected true or false");
  expect_refused("[\"k\",", "[\"k\",\"x\",", "expected [key, value]");
  expect_refused("\"address\":\"0xbeef\"", "\"address\":\"beef\"",
                 "objects.address: expected a text \"0x..\"");
  expect_refused("\"labels\":[", "\"labels\":{},\"x\":[", "expected no object");
  expect_refused("\"stack\":0", "\"stack\":7", "groups[0]: expected stack to be a row of `stacks`");
  expect_refused("\"frames\":[0,1]", "\"frames\":[0,2]",
                 "locations[0]: expected frames to be rows of `frames`");
  expect_refused("\"goid\":9,", "\"goid\":8,", "groups: goroutine 8 is there twice");
  expect_refused("\"made_at\":0", "\"made_at\":2",
                 "objects[0]: expected places to be rows of `locations`");
  expect_refused("\"first_object\":1", "\"first_object\":2",
                 "groups[0]: expected objects to be rows of `objects`");
}

TEST(ParseJson, EveryCutIsRefusedByByte) {
  const std::string text = written(write_json, full());
  for (size_t cut = 0; cut + 2 < text.size(); ++cut) {
    const std::string why = refusal(parse_json, text.substr(0, cut));
    ASSERT_TRUE(why.starts_with("JSON: byte ")) << cut << why;
  }
}

TEST(ParseJson, DeepNestingTakesNoStack) {
  const std::string deep(5'000'000, '[');
  EXPECT_NE(refusal(parse_json, "{\"x\":" + deep), "");
  EXPECT_NE(refusal(parse, "{\"x\":" + deep), "");
}

}  // namespace
