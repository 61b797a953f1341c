// write_debug1 against Go's text, letter by letter, and against go tool pprof.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/encode.h>

#include "reader_process.h"
#include "snapshot_builder.h"

namespace {

using namespace weir::profiler;
using weir::profiler::testing::ReaderProcess;
using weir::profiler::testing::SnapshotBuilder;
using weir::profiler::testing::written;

// What Go would write: without our `# state:` lines.
std::string gos_text(const Snapshot& s) {
  std::string text = written(write_debug1, s);
  for (size_t at = text.find("\n# state: "); at != text.npos; at = text.find("\n# state: ", at)) {
    text.erase(at + 1, text.find('\n', at + 1) - at);
  }
  return text;
}

constexpr uint64_t kPark = 0x437555, kRecv = 0x40619a, kWorker = 0x4b515a, kEntry = 0x461240;

TEST(EncodeDebug1, EmptySnapshotIsTheHeaderAlone) {
  EXPECT_EQ(gos_text(Snapshot{}), "goroutine profile: total 0\n");
}

// The example that Go 1.19.8 wrote, with its addresses.
TEST(EncodeDebug1, IsGosTextLetterByLetter) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack(
      {b.runtime_call(kPark, "gopark"), b.runtime_call(kRecv, "chanrecv"),
       b.call(kWorker, "main.worker", "src/main.go", 13, 0x1a), b.runtime_call(kEntry, "goexit")});
  b.group(stack, "chan receive", {5, 6}).labels = {{"alpha", "v \"2\""}, {"zeta", "v1"}};
  b.group(stack, "chan receive", {7, 8, 9});
  EXPECT_EQ(gos_text(b.snapshot),
            "goroutine profile: total 5\n"
            "3 @ 0x437556 0x40619b 0x4b515b 0x461241\n"
            "#\t0x4b515a\tmain.worker+0x1a\tsrc/main.go:13\n"
            "\n"
            "2 @ 0x437556 0x40619b 0x4b515b 0x461241\n"
            "# labels: {\"alpha\":\"v \\\"2\\\"\", \"zeta\":\"v1\"}\n"
            "#\t0x4b515a\tmain.worker+0x1a\tsrc/main.go:13\n"
            "\n");
}

// What Go's readers pass over: how those of one record differ.
TEST(EncodeDebug1, TellsStatesTimesAndCreators) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack({b.call(kWorker, "worker()", "w.cc", 13, 0x1a)});
  const uint32_t go =
      b.location(0x500, {b.runtime_frame("weir::go"), b.frame("zoo::start()", "zoo.cc", 50, 2)});
  Group& waiting = b.group(stack, "chan receive", {1, 2, 3});
  waiting.created_by = go;
  waiting.members[0].since_ns = 60'000'000'000;
  waiting.members[1].since_ns = 500'000'000;
  waiting.members[2].since_ns = 1'250;
  b.group(stack, "", {4}).state = State::runnable;
  Group& summed = b.counted(stack, "sync.Mutex.Lock", 2);
  summed.wait_ns = 3'600'000'000'000;
  summed.oldest_ns = 3'599'000'000'000;
  b.counted(stack, "select", 1);
  b.group(stack, "chan send", {7}).thread = true;
  EXPECT_EQ(written(write_debug1, b.snapshot),
            "goroutine profile: total 8\n"
            "8 @ 0x4b515b\n"
            "# state: 3 chan receive, wait 1m0.50000125s (longest 1m0s), created by zoo::start()\t"
            "zoo.cc:50\n"
            "# state: 2 sync.Mutex.Lock, wait 1h0m0s (longest 59m59s)\n"
            "# state: 1 runnable\n"
            "# state: 1 select\n"
            "# state: 1 chan send, wait 0s, thread\n"
            "#\t0x4b515a\tworker()+0x1a\tw.cc:13\n"
            "\n");
}

// What would read as something else is quoted.
TEST(EncodeDebug1, ReasonsThatReadLikeMoreAreQuoted) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack({b.call(kWorker, "worker()", "w.cc", 13, 0x1a)});
  b.counted(stack, "running", 3);
  b.counted(stack, "select, thread", 2);
  b.counted(stack, "", 1);
  EXPECT_EQ(written(write_debug1, b.snapshot),
            "goroutine profile: total 6\n"
            "6 @ 0x4b515b\n"
            "# state: 3 \"running\"\n"
            "# state: 2 \"select, thread\"\n"
            "# state: 1 running\n"
            "#\t0x4b515a\tworker()+0x1a\tw.cc:13\n"
            "\n");
}

// Measured on Go: beside a function of 52 characters, `main.main+0x444` is followed by 6 tabs.
TEST(EncodeDebug1, ColumnsAlignAsGosTabwriter) {
  const std::string widest(52 - 5, 'f');
  SnapshotBuilder b;
  b.group(b.stack({b.call(0x1000, widest, "a.cc", 1, 0x444),
                   b.call(0x123456789abc, "main.main", "b.cc", 2, 0x444)}),
          "select", {1});
  EXPECT_EQ(gos_text(b.snapshot),
            "goroutine profile: total 1\n"
            "1 @ 0x1001 0x123456789abd\n"
            "#\t0x1000\t\t" +
                widest +
                "+0x444\ta.cc:1\n"
                "#\t0x123456789abc\tmain.main+0x444\t\t\t\t\t\tb.cc:2\n"
                "\n");
}

// A cell that fills its column to the tab stop's last character still gets one tab; a line without
// the cell ends the column; letters count, not bytes.
TEST(EncodeDebug1, ColumnsEndWhereALineHasNoCell) {
  SnapshotBuilder b;
  const uint32_t unknown = b.location(0x30, {});
  b.group(b.stack({b.call(0x10, "abc", "a.cc", 1, 1), b.call(0x20, "äöüß", "b.cc", 2, 1), unknown,
                   b.call(0x40, "a_longer_name", "c.cc", 3, 1)}),
          "select", {1});
  EXPECT_EQ(gos_text(b.snapshot),
            "goroutine profile: total 1\n"
            "1 @ 0x11 0x21 0x31 0x41\n"
            "#\t0x10\tabc+0x1\t\ta.cc:1\n"
            "#\t0x20\täöüß+0x1\tb.cc:2\n"
            "#\t0x30\n"
            "#\t0x40\ta_longer_name+0x1\tc.cc:3\n"
            "\n");
}

TEST(EncodeDebug1, InlinedFramesHaveLinesOfTheirOwn) {
  SnapshotBuilder b;
  const uint32_t recv = b.runtime_frame("weir::chan<int>::recv");
  const uint32_t inner = b.frame("inner()", "a.cc", 3, 0x2a),
                 outer = b.frame("outer()", "a.cc", 9, 0x2a);
  b.group(b.stack({b.location(0x10, {recv, inner, outer})}), "chan receive", {1});
  EXPECT_EQ(gos_text(b.snapshot),
            "goroutine profile: total 1\n"
            "1 @ 0x11\n"
            "#\t0x10\tinner()+0x2a\ta.cc:3\n"
            "#\t0x10\touter()+0x2a\ta.cc:9\n"
            "\n");
}

TEST(EncodeDebug1, RuntimeFramesBetweenTheUsersAreShown) {
  SnapshotBuilder b;
  b.group(b.stack({b.runtime_call(0x10, "gopark"), b.call(0x20, "f", "a.cc", 1, 1),
                   b.runtime_call(0x30, "weir::Once::call"), b.call(0x40, "g", "a.cc", 2, 1),
                   b.runtime_call(0x50, "weir_entry")}),
          "select", {1});
  EXPECT_EQ(gos_text(b.snapshot),
            "goroutine profile: total 1\n"
            "1 @ 0x11 0x21 0x31 0x41 0x51\n"
            "#\t0x20\tf+0x1\t\t\ta.cc:1\n"
            "#\t0x30\tweir::Once::call+0x10\t/weir/runtime/src/park.cc:7\n"
            "#\t0x40\tg+0x1\t\t\ta.cc:2\n"
            "\n");
}

TEST(EncodeDebug1, StackOfRuntimeFramesAloneIsShownWhole) {
  SnapshotBuilder b;
  b.group(b.stack({b.runtime_call(0x10, "gopark"), b.runtime_call(0x20, "weir_entry")}), "sleep",
          {1});
  EXPECT_EQ(gos_text(b.snapshot),
            "goroutine profile: total 1\n"
            "1 @ 0x11 0x21\n"
            "#\t0x10\tgopark+0x10\t/weir/runtime/src/park.cc:7\n"
            "#\t0x20\tweir_entry+0x10\t/weir/runtime/src/park.cc:7\n"
            "\n");
}

// State, reason and creator are not part of the format: groups that differ there alone become one.
// Threads count like goroutines.
TEST(EncodeDebug1, MergesWhatItShowsAsOneAndSortsByCountThenText) {
  SnapshotBuilder b;
  const uint32_t f = b.call(0xffff, "f", "a.cc", 1, 1), g = b.call(0x1ffff, "g", "a.cc", 2, 1);
  const uint32_t other_f = b.stack({f});
  b.group(b.stack({g}), "select", {1, 2});
  b.group(b.stack({f}), "select", {3}).created_by = g;
  b.group(other_f, "", {4});
  b.group(b.stack({f, g}), "chan send", {5, 6});
  b.group(b.stack({f}), "select", {7}).labels = {{"k", "v"}};
  b.group(b.stack({g, f}), "chan send", {8}).thread = true;
  const std::string text = gos_text(b.snapshot);
  std::vector<std::string> heads;
  for (size_t at = 0; (at = text.find('@', at)) != text.npos; ++at) {
    heads.push_back(
        text.substr(text.rfind('\n', at) + 1, text.find("\n#\t", at) - text.rfind('\n', at) - 1));
  }
  EXPECT_EQ(text.substr(0, text.find('\n')), "goroutine profile: total 8");
  EXPECT_EQ(heads, (std::vector<std::string>{"2 @ 0x10000", "2 @ 0x10000 0x20000", "2 @ 0x20000",
                                             "1 @ 0x10000\n# labels: {\"k\":\"v\"}",
                                             "1 @ 0x20000 0x10000"}));
}

TEST(EncodeDebug1, TellsTruncatedAndMissingStacks) {
  SnapshotBuilder b;
  b.group(b.stack({b.call(0x10, "deep", "a.cc", 1, 1), b.runtime_call(0x20, "weir::run")}, true),
          "select", {1, 2});
  b.group(b.stack({}), "", {3});
  EXPECT_EQ(gos_text(b.snapshot),
            "goroutine profile: total 3\n"
            "2 @ 0x11 0x21\n"
            "#\t0x10\tdeep+0x1\ta.cc:1\n"
            "#\t0x20\tweir::run+0x10\t/weir/runtime/src/park.cc:7\n"
            "# ...additional frames elided...\n"
            "\n"
            "1 @ 0x1\n"
            "#\t0x0\t[stack unavailable]\n"
            "\n");
}

TEST(EncodeDebug1, EscapesWhatWouldBreakTheFormat) {
  SnapshotBuilder b;
  Group& g =
      b.group(b.stack({b.call(0x10, "f\n1 @ 0x1\t\x1b[31m\xff", "a\nb.cc", 1, 1)}), "select", {1});
  g.labels = {{"a\tb", "\x01\\\xc3\x28\u00e9\u202e\U000e0001\x7f"}};
  EXPECT_EQ(gos_text(b.snapshot),
            "goroutine profile: total 1\n"
            "1 @ 0x11\n"
            "# labels: {\"a\\tb\":\"\\x01\\\\\\xc3(é\\u202e\\U000e0001\\x7f\"}\n"
            "#\t0x10\tf\\n1 @ 0x1\\t\\x1b[31m\\xff+0x1\ta\\nb.cc:1\n"
            "\n");
}

TEST(EncodeDebug1, HugeCountsSaturate) {
  SnapshotBuilder b;
  b.counted(b.stack({b.call(0x10, "f", "a.cc", 1, 1)}), "select", UINT64_MAX);
  b.counted(b.stack({b.call(0x20, "g", "a.cc", 2, 1)}), "select", UINT64_MAX);
  const std::string text = gos_text(b.snapshot);
  EXPECT_TRUE(
      text.starts_with("goroutine profile: total 18446744073709551615\n"
                       "18446744073709551615 @ 0x11\n"))
      << text;
}

TEST(EncodeDebug1, IndexesThatPointNowhereAreHarmless) {
  SnapshotBuilder b;
  b.group(b.stack({77, b.location(0x10, {99})}), "select", {1});
  b.group(42, "select", {2, 3});
  EXPECT_EQ(gos_text(b.snapshot),
            "goroutine profile: total 3\n"
            "2 @ 0x1\n#\t0x0\t[stack unavailable]\n\n"
            "1 @ 0x1 0x11\n#\t0x10\n\n");
}

TEST(EncodeDebug1, StopsWhenTheReaderIsGone) {
  SnapshotBuilder b;
  const uint32_t leaf = b.call(0x10, "f", "a.cc", 1, 1);
  for (uint64_t i = 0; i < 10'000; ++i) {
    b.group(b.stack({leaf, b.call(0x1000 + i, "g", "a.cc", 1, 1)}), "select", {i + 1});
  }
  int calls = 0;
  EXPECT_FALSE(write_debug1(b.snapshot, [&calls](std::string_view) { return ++calls < 3; }));
  EXPECT_EQ(calls, 3);
}

TEST(EncodeDebug1, GoToolPprofReadsIt) {
  SnapshotBuilder b;
  b.group(b.stack({b.call(0x10, "zoo::f()", "a.cc", 1, 1), b.call(0x20, "zoo::g()", "a.cc", 2, 1)}),
          "chan receive", {1, 2, 3})
      .labels = {{"k", "v"}};
  b.group(b.stack({}), "", {4});
  const std::string raw =
      ReaderProcess().read("go tool pprof -symbolize=none -raw", gos_text(b.snapshot));
  EXPECT_NE(raw.find("goroutine/count"), raw.npos) << raw;
  EXPECT_NE(raw.find("3: 1 2"), raw.npos) << raw;  // three goroutines at locations 1 and 2
  EXPECT_NE(raw.find("1: 0x10 "), raw.npos) << raw;
}

}  // namespace
