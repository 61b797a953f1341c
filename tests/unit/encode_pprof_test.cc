// write_pprof as go tool pprof reads it.
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
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

// Runs of blanks made one, and none at the ends of lines: pprof aligns its tables by what they
// hold.
std::string squeezed(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool at_start = out.empty() || out.back() == '\n';
    if (c == ' ' || c == '\t') {
      if (!at_start && out.back() != ' ') out.push_back(' ');
    } else {
      if (c == '\n' && !at_start && out.back() == ' ') out.pop_back();
      out.push_back(c);
    }
  }
  return out;
}

using Writer = bool (*)(const Snapshot&, const Sink&);

std::string pprof(const std::string& options, const Snapshot& s, Writer writer = write_pprof) {
  return squeezed(ReaderProcess().read("go tool pprof " + options, written(writer, s)));
}

void expect_has(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), text.npos) << "no \"" << part << "\" in\n" << text;
}

void expect_lacks(const std::string& text, std::string_view part) {
  EXPECT_EQ(text.find(part), text.npos) << "\"" << part << "\" in\n" << text;
}

// 40 goroutines leak in one function, 2 labelled ones and 1 other wait in a second.
class EncodePprof : public ::testing::Test {
 protected:
  void SetUp() override {
    b_.snapshot.mappings.push_back({0x400000, 0x500000, 0x1000, "/bin/zoo", "abcdef0123456789"});
    const uint32_t root = b_.location(
        0x400900,
        {b_.frame("zoo::root()", "/src/zoo.cc", 90, 0x9), b_.runtime_frame("weir::detail::invoke")},
        1);
    const uint32_t entry = b_.location(0x400a00, {b_.runtime_frame("weir_entry")}, 1);
    const uint32_t park = b_.location(0x400100, {b_.runtime_frame("gopark")}, 1);
    const uint32_t leak = b_.location(0x400200,
                                      {b_.runtime_frame("weir::chan<int>::recv"),
                                       b_.frame("zoo::inlined()", "/src/leaks.h", 4, 0x1b),
                                       b_.frame("zoo::leak()", "/src/leaks.cc", 41, 0x1b)},
                                      1);
    const uint32_t work = b_.location(
        0x400300, {b_.frame("zoo::work(std::string const&)", "/src/work.cc", 12, 2)}, 1);
    const uint32_t leak_stack = b_.stack({park, leak, root, entry}),
                   work_stack = b_.stack({park, work, root, entry});
    b_.counted(leak_stack, "chan receive (nil chan)", 30);
    b_.counted(leak_stack, "chan receive (nil chan)", 10).created_by = root;
    b_.counted(work_stack, "sync.Mutex.Lock", 2).labels = {{"pool", "a \"b\""}};
    b_.counted(work_stack, "", 1);
  }

  SnapshotBuilder b_;
};

TEST_F(EncodePprof, TopShowsTheFunctionsThatBlock) {
  const std::string top = pprof("-top", b_.snapshot);
  expect_has(top, "Type: goroutine\n");
  expect_has(top, "of 43 total");
  expect_has(top, "40 93.02% 93.02% 40 93.02% zoo::inlined (inline)\n");
  expect_has(top, "\n3 6.98% 100% 3 6.98% zoo::work\n");
  expect_has(top, "\n0 0% 100% 40 93.02% zoo::leak\n");
  expect_has(top, "\n0 0% 100% 43 100% zoo::root\n");
  for (const char* hidden : {"gopark", "weir::chan", "invoke", "weir_entry"})
    expect_lacks(top, hidden);
}

TEST_F(EncodePprof, TracesShowStackAndLabelsOfEachRecord) {
  const std::string traces = pprof("-traces -lines", b_.snapshot);
  expect_has(traces,
             "state: waiting\nwait_reason: chan receive (nil chan)\n"
             "30 zoo::inlined /src/leaks.h:4 (inline)\n"
             "zoo::leak /src/leaks.cc:41\n"
             "zoo::root /src/zoo.cc:90\n");
  expect_has(traces,
             "pool: a \"b\"\nstate: waiting\nwait_reason: sync.Mutex.Lock\n2 zoo::work "
             "/src/work.cc:12");
  expect_has(traces, "state: running\n1 zoo::work /src/work.cc:12");
}

TEST_F(EncodePprof, TagsCountStatesAndReasons) {
  const std::string tags = pprof("-tags", b_.snapshot);
  expect_has(tags, "state: Total 43");
  expect_has(tags, "42.0 (97.67%): waiting");
  expect_has(tags, "1.0 ( 2.33%): running");
  expect_has(tags, "wait_reason: Total 42");
  expect_has(tags, "40.0 (95.24%): chan receive (nil chan)");
  expect_has(tags, "pool: Total 2");
}

TEST_F(EncodePprof, TheSecondValueIsTheTimeBlocked) {
  Snapshot& s = b_.snapshot;
  s.groups[0].wait_ns = 90'000'000'000;  // 30 in leak, together
  s.groups[1].wait_ns = 30'000'000'000;  // 10 more
  s.groups[2].wait_ns = 60'000'000'000;
  s.groups[3].wait_ns = 7'000'000'000;  // it runs: no wait
  const std::string top = pprof("-top -sample_index=wait", s);
  expect_has(top, "Type: wait\n");
  expect_has(top, "of 180s total");
  expect_has(top, "120s 66.67% 66.67% 120s 66.67% zoo::inlined (inline)\n");
  expect_has(top, "60s 33.33% 100% 60s 33.33% zoo::work\n");
  expect_has(pprof("-top", s), "Type: goroutine\n");  // still what is shown if nothing is said
}

TEST_F(EncodePprof, TheCreatorIsALabel) {
  expect_has(pprof("-traces", b_.snapshot), "created_by: zoo::root()\n");
  const std::string focused = pprof("-top -tagfocus=created_by=zoo", b_.snapshot);
  expect_has(focused, "accounting for 10, 23.26% of 43 total");
  expect_has(pprof("-top -tagroot=wait_reason", b_.snapshot), "40 93.02% chan receive (nil chan)");
}

// One sample per goroutine, with numbers.
TEST_F(EncodePprof, EachGoroutineIsASampleInDebug3) {
  Group& g = b_.group(b_.snapshot.groups[2].stack, "chan send", {17, 18});
  g.members[0].parent_goid = 5;
  g.members[0].since_ns = 185'000'000'000;
  g.members[0].name = b_.text("worker");
  g.members[0].stack_bytes = 2048;
  g.members[0].cpu_ns = 1'500'000;
  g.members[1].since_ns = 30'000'000'000;
  const std::string raw = pprof("-raw -symbolize=none", b_.snapshot, write_pprof3);
  expect_has(raw,
             "1 185000000000: 3 2\ngo::goroutine_state:[chan send] name:[worker] state:[waiting] "
             "wait_reason:[chan send]\n"
             "cpu_ns:[1500000 nanoseconds] go::goroutine:[17 id] go::goroutine_created_by:[5 id] "
             "go::goroutine_wait_minutes:[3 minutes] stack_bytes:[2048 bytes] "
             "wait_ns:[185000000000 nanoseconds]\n");
  expect_has(raw,
             "1 30000000000: 3 2\ngo::goroutine_state:[chan send] state:[waiting] "
             "wait_reason:[chan send]\ngo::goroutine:[18 id] wait_ns:[30000000000 nanoseconds]\n");
  expect_has(raw, "30 0: ");  // a group without members
  const std::string top =
      pprof("-top -sample_index=wait -tagfocus=wait_ns=60s:", b_.snapshot, write_pprof3);
  expect_has(top, "185s 86.05% 86.05% 185s 86.05% zoo::work");
}

TEST_F(EncodePprof, TheProfileIsAsGosOwn) {
  const std::string raw = pprof("-raw -symbolize=none", b_.snapshot);
  expect_has(raw, "PeriodType: goroutine count\nPeriod: 1\nTime: 2026-");
  expect_has(raw, "Samples:\ngoroutine/count[dflt] wait/nanoseconds\n");
  expect_has(raw, "1: 0x400000/0x500000/0x1000 /bin/zoo abcdef0123456789 [FN][FL][LN][IN]\n");
  expect_has(raw,
             "0x400200 M=1 zoo::inlined() /src/leaks.h:4 s=0\nzoo::leak() /src/leaks.cc:41 s=0\n");
  expect_lacks(raw, "Duration");
}

TEST_F(EncodePprof, AProfileMinusItselfIsEmpty) {
  const std::string profile = written(write_pprof, b_.snapshot);
  const std::string base =
      std::filesystem::temp_directory_path() / ("weir-base-" + std::to_string(getpid()) + ".pb.gz");
  std::ofstream(base, std::ios::binary) << profile;
  const std::string diff = ReaderProcess().read("go tool pprof -top -diff_base=" + base, profile);
  std::filesystem::remove(base);
  expect_has(squeezed(diff), "Showing nodes accounting for 0");
}

TEST(EncodePprofEdges, EmptySnapshotIsAProfile) {
  expect_has(pprof("-raw -symbolize=none", Snapshot{}),
             "Samples:\ngoroutine/count[dflt] wait/nanoseconds\nLocations\nMappings\n");
}

// The same call may be the leaf of one stack, hidden in part, and stand in the middle of another.
TEST(EncodePprofEdges, ALocationIsShownInThePartThatEachStackShows) {
  SnapshotBuilder b;
  const uint32_t mixed =
      b.location(0x10, {b.runtime_frame("weir::Once::call"), b.frame("user()", "a.cc", 1, 1)});
  b.counted(b.stack({mixed}), "select", 3);
  b.counted(b.stack({b.call(0x20, "leaf()", "a.cc", 2, 1), mixed}), "select", 2);
  const std::string raw = pprof("-raw -symbolize=none", b.snapshot);
  expect_has(raw, "3 0: 1\n");
  expect_has(raw, "2 0: 2 3\n");
  expect_has(raw, "1: 0x10 M=1 user() a.cc:1 s=0\n");
  expect_has(raw,
             "3: 0x10 M=1 weir::Once::call /weir/runtime/src/park.cc:7 s=0\nuser() a.cc:1 s=0\n");
}

TEST(EncodePprofEdges, RuntimeAloneUnknownAndMissingStacksStayCounted) {
  SnapshotBuilder b;
  b.snapshot.mappings.push_back({0x400000, 0x500000, 0, "/bin/zoo", ""});
  b.counted(b.stack({b.runtime_call(0x10, "gopark"), b.runtime_call(0x20, "weir_entry")}), "sleep",
            5);
  b.counted(b.stack({}), "", 4);
  b.counted(b.stack({b.location(0x400030, {}, 1)}), "select", 3);
  b.counted(b.stack({77, b.location(0x40, {99}, 12)}), "select", 2);
  b.counted(
      b.stack({b.call(0x50, "deep()", "a.cc", 1, 1), b.runtime_call(0x60, "weir::run")}, true),
      "select", 1);
  const std::string raw = pprof("-raw -symbolize=none", b.snapshot);
  expect_has(raw, "0x10 gopark");
  expect_has(raw, "[stack unavailable]");
  expect_has(raw, "0x400030 M=1\n");
  expect_has(raw, "0x60 weir::run");
  expect_has(pprof("-top -symbolize=none", b.snapshot), "of 15 total");
}

TEST(EncodePprofEdges, UserLabelsWinOverOurs) {
  SnapshotBuilder b;
  b.counted(b.stack({b.call(0x10, "f()", "a.cc", 1, 1)}), "select", 1).labels = {{"state", "mine"}};
  const std::string tags = pprof("-tags", b.snapshot);
  expect_has(tags, "mine");
  expect_lacks(tags, "waiting");
}

TEST(EncodePprofEdges, NamesAndLabelsAreCleaned) {
  SnapshotBuilder b;
  b.counted(b.stack({b.call(0x10, "f\x1b[31m\xff\n", "a\tb.cc", 1, 1)}), "select", 1).labels = {
      {"k\n", "\xc3v"}};
  const std::string raw = pprof("-raw -symbolize=none", b.snapshot);
  expect_has(raw, "f\\x1b[31m\\xff\\n a\\tb.cc:1");
  expect_has(raw, "k\\n:[\\xc3v]");
}

TEST(EncodePprofEdges, HugeCountsAreCutToWhatTheFormatHolds) {
  SnapshotBuilder b;
  b.counted(b.stack({b.call(0x10, "f()", "a.cc", 1, 1)}), "select", UINT64_MAX);
  expect_has(pprof("-raw -symbolize=none", b.snapshot), "9223372036854775807 0: 1\n");
}

TEST(EncodePprofEdges, ManyRecordsInBoundedPieces) {
  constexpr uint64_t kCount = 20'000;
  constexpr size_t kLongestPiece = 65'536;
  SnapshotBuilder b;
  const uint32_t leaf = b.call(0x10, "zoo::leaf()", "a.cc", 1, 1);
  for (uint64_t i = 0; i < kCount; ++i) {
    b.counted(b.stack({leaf, b.call(0x1000 + i, "zoo::f" + std::to_string(i * 7919) + "()", "b.cc",
                                    1, 1)}),
              "select", 1);
  }
  size_t longest = 0, pieces = 0;
  std::string all;
  EXPECT_TRUE(write_pprof(b.snapshot, [&](std::string_view piece) {
    longest = std::max(longest, piece.size());
    ++pieces;
    all.append(piece);
    return true;
  }));
  EXPECT_LE(longest, kLongestPiece);
  EXPECT_GT(pieces, 2U);
  expect_has(squeezed(ReaderProcess().read("go tool pprof -top", all)),
             "20000 100% 100% 20000 100% zoo::leaf\n");

  int calls = 0;
  EXPECT_FALSE(write_pprof(b.snapshot, [&calls](std::string_view) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

}  // namespace
