// parse: the format is told by the content; gzip; bounds. Round trips of what was captured.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/parse.h>
#include <weir/weir.h>

#include "parse_util.h"
#include "reader_process.h"
#include "round_trip.h"
#include "snapshot_builder.h"

namespace {

using namespace weir::profiler;
using weir::profiler::testing::fixture;
using weir::profiler::testing::gzip;
using weir::profiler::testing::refusal;
using weir::profiler::testing::SnapshotBuilder;
using weir::profiler::testing::written;

Snapshot sample() {
  SnapshotBuilder b;
  b.group(b.stack({b.call(0x10, "f", "/a.cc", 1, 1)}), "chan send", {2, 3});
  return b.snapshot;
}

TEST(Parse, TellsTheFormatByTheContentGzipOrNot) {
  const Snapshot s = sample();
  const std::vector<std::pair<std::string, std::string>> texts = {
      {written(write_debug1, s), "debug=1"},
      {written(write_debug2, s), "debug=2"},
      {written(write_pprof, s), "pprof"},
      {written(write_json, s), "weir"}};
  for (const auto& [text, source] : texts) {
    for (const std::string& bytes : {text, gzip(text)}) {
      const Snapshot back = parse(bytes);
      EXPECT_EQ(back.source, source);
      EXPECT_EQ(back.total, 2U);
    }
  }
  // A profile without its gzip, text behind a byte order mark and empty lines.
  EXPECT_EQ(parse("\xef\xbb\xbf\n\n" + texts[1].first).total, 2U);
  EXPECT_EQ(parse("\r\n" + texts[0].first).total, 2U);
}

TEST(Parse, WhatIsNoDumpIsRefusedWithWhatWasExpected) {
  EXPECT_EQ(refusal(parse, ""), "dump: byte 0: expected goroutines, found an empty input");
  EXPECT_EQ(refusal(parse, " \n"), "dump: byte 0: expected goroutines, found an empty input");
  EXPECT_EQ(refusal(parse, "\n<html>\nx"),
            "dump: byte 1: expected profile.proto, `goroutine profile: total N`, "
            "`goroutine N [state]:` or weir's JSON, found \"<html>\"");
  EXPECT_EQ(refusal(parse, "heap profile: total 1\n"),
            "debug=1: line 1: expected a profile of goroutines, found one of \"heap\"");
  EXPECT_EQ(refusal(parse, std::string("\x0a\x05\0\1", 4)),
            "pprof: byte 0: expected a field of profile.proto, found damaged data or their end");
}

TEST(Parse, AGzipBombIsRefusedBeforeItIsUnpacked) {
  const std::string bomb = gzip(std::string(size_t{64} << 20, '\n'));
  ASSERT_LT(bomb.size(), 100'000U);
  EXPECT_EQ(refusal(parse, bomb, {.max_bytes = 1 << 20}),
            "gzip: more than 1048576 bytes when decompressed (ParseOptions::max_bytes)");
}

TEST(Parse, GzipThatIsCutGivesWhatIsWholeAndSaysSo) {
  std::string text;
  for (int i = 1; i < 2000; ++i) {
    text += "goroutine " + std::to_string(i) + " [select]:\nmain.f(0x" + std::to_string(i * 77) +
            ")\n\t/a.go:1 +0x1\n\n";
  }
  const std::string zipped = gzip(text);
  const Snapshot s = parse(std::string_view(zipped).substr(0, zipped.size() / 2));
  EXPECT_TRUE(s.truncated);
  EXPECT_GT(s.total, 100U);
  EXPECT_LT(s.total, 1999U);
  EXPECT_FALSE(parse(zipped).truncated);
  std::string damaged = zipped;
  damaged[damaged.size() / 2] ^= 0x55;
  damaged[damaged.size() - 6] ^= 0x55;  // and its checksum
  const std::string why = refusal(parse, damaged);
  EXPECT_TRUE(why.starts_with("gzip: byte ")) << why;
  EXPECT_TRUE(refusal(parse, gzip(written(write_json, sample())).substr(0, 100))
                  .ends_with("(the gzip data end too early)"));
}

// Short input, long names: text that is referred to over and over would fill the memory.
TEST(Parse, WhatIsMadeIsBoundedByTheSizeOfTheInput) {
  std::string json = written(write_json, sample());
  std::string rows;
  for (int i = 0; i < 20'000; ++i) rows += ",{\"kind\":\"x\",\"address\":\"0x0\"}";
  json.insert(json.find("\"objects\":[") + 11, rows.substr(1));
  EXPECT_EQ(refusal(parse, json), "");
  const std::string why = refusal(parse, json + std::string(1000, ' '), {.max_expansion = 1});
  EXPECT_EQ(why, "");  // 16 MiB are always granted
}

TEST(Parse, RealDumpsAreTheSameGoroutinesInEveryFormat) {
  const Snapshot s = parse(fixture("go1.19-debug2.txt"));
  for (const std::string& text : {written(write_debug1, s), written(write_pprof, s)}) {
    const Snapshot back = parse(text);
    EXPECT_EQ(back.total, s.total);
    EXPECT_EQ(back.stacks.size(), s.stacks.size());
  }
  EXPECT_EQ(parse(written(write_json, s)), s);
  EXPECT_EQ(fuzz::broken(s), "");
}

TEST(Parse, CapturedSnapshotsComeBackFromEveryFormat) {
  weir::run([] {
    weir::chan<int> nil;
    auto c = weir::make_chan<int>(2);
    weir::Mutex mutex;
    mutex.lock();
    for (int i = 0; i < 5; ++i) {
      weir::go([nil]() mutable { nil.recv(); });
      weir::with_labels({{"pool", "a"}, {"n", std::to_string(i % 2)}},
                        [&] { weir::go([c]() mutable { c.recv(); }); });
      weir::go({.name = "locker"}, [&mutex] {
        mutex.lock();
        mutex.unlock();
      });
    }
    for (int i = 0; i < 100; ++i) weir::gosched();
    const Snapshot s = capture();
    EXPECT_EQ(parse(written(write_json, s)), s);
    EXPECT_EQ(fuzz::broken(s), "");
    const Snapshot text = parse(written(write_debug2, s));
    size_t members = 0;
    for (const Group& g : s.groups) members += g.members.size();
    EXPECT_EQ(text.total, members);
    EXPECT_EQ(parse(written(write_pprof, s)).total, members);
    mutex.unlock();
  });
}

}  // namespace
