// write_debug2 against Go's text, letter by letter, and against panicparse.
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

constexpr int64_t kSecond = 1'000'000'000;  // ns

// The `goroutine ...:` lines.
std::vector<std::string> headers(const std::string& text) {
  std::vector<std::string> all;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    if (line.starts_with("goroutine ")) all.push_back(line);
    at = end + 1;
  }
  return all;
}

TEST(EncodeDebug2, EmptySnapshotIsEmptyText) { EXPECT_EQ(written(write_debug2, Snapshot{}), ""); }

TEST(EncodeDebug2, IsGosTextLetterByLetter) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack(
      {b.runtime_call(0x10, "gopark"), b.call(0x4b515a, "main.worker", "/src/main.go", 13, 0x1a),
       b.call(0x4b5200, "main.entry", "/src/main.go", 20, 0), b.runtime_call(0x20, "goexit")});
  Group& g = b.group(stack, "chan receive", {18, 19});
  g.created_by = b.call(0x4b5300, "main.main", "/src/main.go", 30, 0x2b);
  g.members[0].parent_goid = 1;
  g.members[0].since_ns = 301 * kSecond;
  g.members[1].since_ns = 59 * kSecond;
  EXPECT_EQ(written(write_debug2, b.snapshot),
            "goroutine 18 [chan receive, 5 minutes]:\n"
            "main.worker(...)\n"
            "\t/src/main.go:13 +0x1a\n"
            "main.entry(...)\n"
            "\t/src/main.go:20\n"
            "created by main.main in goroutine 1\n"
            "\t/src/main.go:30 +0x2b\n"
            "\n"
            "goroutine 19 [chan receive]:\n"
            "main.worker(...)\n"
            "\t/src/main.go:13 +0x1a\n"
            "main.entry(...)\n"
            "\t/src/main.go:20\n"
            "created by main.main\n"
            "\t/src/main.go:30 +0x2b\n");
}

// Go's line, and then what makes a file of C++ one that panicparse takes.
TEST(EncodeDebug2, CppPlacesCarryTheMarkOfPanicparse) {
  SnapshotBuilder b;
  const uint32_t go = b.runtime_frame("weir::go<main::lambda>");
  const uint32_t make = b.frame("zoo::make()", "/src/zoo.h", 8, 0x44),
                 start = b.frame("zoo::start()", "/src/zoo.cc", 50, 0x44);
  const uint32_t inner = b.frame("zoo::inner()", "/src/zoo.h", 3, 0x1b),
                 outer = b.frame("zoo::outer()::lambda", "/src/zoo.cc", 41, 0x1b);
  Group& g = b.group(b.stack({b.location(0x10, {inner, outer})}), "select (no cases)", {7});
  g.created_by = b.location(0x20, {go, make, start});
  g.members[0].parent_goid = 1;
  EXPECT_EQ(written(write_debug2, b.snapshot),
            "goroutine 7 [select (no cases)]:\n"
            "zoo::inner()(...)\n"
            "\t/src/zoo.h:3 .c:3\n"
            "zoo::outer()::lambda(...)\n"
            "\t/src/zoo.cc:41 +0x1b .c:41\n"
            "created by zoo::make() in goroutine 1\n"
            "\t/src/zoo.h:8 .c:8\n");
}

TEST(EncodeDebug2, HeadersTellStateThreadNameAndLabels) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack({b.call(0x10, "f", "a.c", 1, 1)});
  b.group(stack, "", {1});
  Group& runnable = b.group(stack, "", {2});
  runnable.state = State::runnable;
  runnable.members[0].since_ns = 6000 * kSecond;
  Group& syscall = b.group(stack, "", {3});
  syscall.state = State::syscall;
  syscall.members[0].since_ns = 60 * kSecond;
  b.group(stack, "sync.Mutex.Lock", {4}).thread = true;
  b.group(stack, "sleep", {5}).members[0].name = b.text("worker 1");
  Group& labelled = b.group(stack, "select", {6});
  labelled.labels = {{"a", "x.y/z_1"}, {"b", "p, 9 minutes, q]\n\"\\"}, {"c", ""}};
  labelled.members[0].name = b.text("pool");
  labelled.members[0].since_ns = 120 * kSecond;
  b.group(stack, "odd]: reason\n", {7}).members[0].since_ns = -1;
  Group& no_reason = b.group(stack, "", {8});
  no_reason.state = State::waiting;
  const std::string labelled_header =
      "goroutine 6 [select, 2 minutes, labels:{name: pool, a: x.y/z_1, "
      "b: \"p\\x2c 9 minutes\\x2c q\\x5d\\n\\\"\\\\\", c: \"\"}]:";
  EXPECT_EQ(
      headers(written(write_debug2, b.snapshot)),
      (std::vector<std::string>{
          "goroutine 1 [running]:", "goroutine 2 [runnable, 6000 s]:",
          "goroutine 3 [syscall, 1 minutes]:", "goroutine 4 [sync.Mutex.Lock, locked to thread]:",
          "goroutine 5 [sleep, labels:{name: \"worker 1\"}]:", labelled_header,
          "goroutine 7 [odd): reason\\n]:", "goroutine 8 [waiting]:"}));
}

TEST(EncodeDebug2, LongRunnersAndThoseThatStarveTellTheSeconds) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack({b.call(0x10, "f", "a.c", 1, 1)});
  Group& running = b.group(stack, "", {1, 2, 3});
  running.members[0].since_ns = kSecond - 1;
  running.members[1].since_ns = 12 * kSecond + kSecond / 2;
  running.members[2].since_ns = -1;
  Group& runnable = b.group(stack, "", {4});
  runnable.state = State::runnable;
  runnable.members[0].since_ns = kSecond;
  b.group(stack, "sleep", {5}).members[0].since_ns = 59 * kSecond;
  EXPECT_EQ(headers(written(write_debug2, b.snapshot)),
            (std::vector<std::string>{
                "goroutine 1 [running]:", "goroutine 2 [running, 12 s]:", "goroutine 3 [running]:",
                "goroutine 4 [runnable, 1 s]:", "goroutine 5 [sleep]:"}));
}

TEST(EncodeDebug2, ConnectionsAreToldAsGosErrorsDo) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack({b.call(0x10, "f", "a.c", 1, 1)});
  uint64_t goid = 0;
  const auto add = [&](const char* network, const char* local, const char* remote, bool send) {
    Object o;
    o.kind = "io";
    o.fd = 7;
    o.network = *network ? b.text(network) : 0;
    o.local = *local ? b.text(local) : 0;
    o.remote = *remote ? b.text(remote) : 0;
    o.send = send;
    Member& m = b.group(stack, "IO wait", {++goid}).members[0];
    m.first_object = static_cast<uint32_t>(b.snapshot.objects.size());
    m.object_count = m.objects_total = 1;
    m.since_ns = 120 * kSecond;
    b.snapshot.objects.push_back(o);
  };
  add("tcp", "127.0.0.1:80", "10.0.0.1:4711", false);
  add("tcp", "[::1]:80", "[::2]:4711", true);
  add("tcp", "0.0.0.0:80", "", false);
  add("unix", "", "/tmp/a, b]\n", true);
  add("udp", "", "", false);
  add("", "", "", false);
  EXPECT_EQ(
      headers(written(write_debug2, b.snapshot)),
      (std::vector<std::string>{
          "goroutine 1 [IO wait, 2 minutes, read tcp 127.0.0.1:80->10.0.0.1:4711]:",
          "goroutine 2 [IO wait, 2 minutes, write tcp (::1):80->(::2):4711]:",
          "goroutine 3 [IO wait, 2 minutes, read tcp 0.0.0.0:80]:",
          "goroutine 4 [IO wait, 2 minutes, write unix ->/tmp/a; b)\\n]:",
          "goroutine 5 [IO wait, 2 minutes, read udp]:", "goroutine 6 [IO wait, 2 minutes]:"}));
}

TEST(EncodeDebug2, RequesterFirstThenByIdAcrossGroups) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack({b.call(0x10, "f", "a.c", 1, 1)});
  b.group(stack, "select", {2, 9, 30});
  b.group(stack, "sleep", {1, 10, 31});
  b.group(stack, "", {5});
  b.counted(stack, "chan send", 12);
  b.snapshot.requester_goid = 10;
  EXPECT_EQ(headers(written(write_debug2, b.snapshot)),
            (std::vector<std::string>{
                "goroutine 10 [sleep]:", "goroutine 1 [sleep]:", "goroutine 2 [select]:",
                "goroutine 5 [running]:", "goroutine 9 [select]:", "goroutine 30 [select]:",
                "goroutine 31 [sleep]:", "goroutine 0 [chan send, 12 goroutines]:"}));
}

TEST(EncodeDebug2, TruncatedMissingAndUnknown) {
  SnapshotBuilder b;
  b.group(b.stack({b.call(0x10, "deep", "a.c", 1, 1)}, true), "select", {1});
  Group& gone = b.group(b.stack({}), "", {2});
  gone.created_by = b.location(0xabc, {});
  b.group(b.stack({b.location(0x30, {}), b.call(0x40, "f", "", 0, 2), b.location(0x50, {99}), 77}),
          "select", {3});
  b.group(b.stack({b.runtime_call(0x60, "gopark"), b.runtime_call(0x70, "entry")}), "sleep", {4});
  EXPECT_EQ(written(write_debug2, b.snapshot),
            "goroutine 1 [select]:\ndeep(...)\n\ta.c:1 +0x1\n...additional frames elided...\n\n"
            "goroutine 2 [running]:\n\tgoroutine running on other thread; stack unavailable\n"
            "created by 0xabc\n\t??:0\n\n"
            "goroutine 3 [select]:\n0x30(...)\n\t??:0\nf(...)\n\t??:0 +0x2\n0x50(...)\n\t??:0\n\n"
            "goroutine 4 [sleep]:\ngopark(...)\n\t/weir/runtime/src/park.cc:7 +0x10 .c:7\n"
            "entry(...)\n\t/weir/runtime/src/park.cc:7 +0x10 .c:7\n");
}

TEST(EncodeDebug2, StopsWhenTheReaderIsGone) {
  SnapshotBuilder b;
  std::vector<uint64_t> goids(100'000);
  for (size_t i = 0; i < goids.size(); ++i) goids[i] = i + 1;
  b.group(b.stack({b.call(0x10, "f", "a.cc", 1, 1)}), "select", goids);
  int calls = 0;
  EXPECT_FALSE(write_debug2(b.snapshot, [&calls](std::string_view) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

TEST(EncodeDebug2, HundredThousandGoroutinesInBoundedPieces) {
  constexpr size_t kCount = 100'000, kLongestPiece = 65'536;
  SnapshotBuilder b;
  std::vector<uint64_t> goids(kCount);
  for (size_t i = 0; i < kCount; ++i) goids[i] = i + 1;
  const std::string long_name(200'000, 'n');  // longer than a piece
  b.group(b.stack({b.call(0x10, "f", "a.cc", 1, 1), b.call(0x20, "g", "a.cc", 2, 1)}), "select",
          goids);
  b.group(b.stack({b.call(0x30, long_name, "a.cc", 1, 1)}), "select", {kCount + 1});
  size_t longest = 0;
  std::string all;
  EXPECT_TRUE(write_debug2(b.snapshot, [&](std::string_view piece) {
    longest = std::max(longest, piece.size());
    all.append(piece);
    return true;
  }));
  EXPECT_LE(longest, kLongestPiece);
  EXPECT_EQ(headers(all).size(), kCount + 1);
  EXPECT_NE(all.find(long_name + "(...)\n"), all.npos);
}

// A zoo of names and headers: panicparse must read every goroutine and put alike ones together.
class EncodeDebug2Panicparse : public ::testing::Test {
 protected:
  void SetUp() override {
    const uint32_t main = b_.call(0x900, "main", "/src/zoo.cc", 90, 0x9);
    const uint32_t leak =
        b_.stack({b_.runtime_call(0x1, "gopark"),
                  b_.call(0x10, "zoo::nil_chan_receive(weir::chan<std::pair<int, char>>)::lambda#2",
                          "/src/a dir/leaks.cc", 41, 0x1b)});
    std::vector<uint64_t> many(40);
    for (size_t i = 0; i < many.size(); ++i) many[i] = i + 100;
    Group& g = b_.group(leak, "chan receive (nil chan)", many);
    g.created_by = main;
    for (Member& m : g.members) {
      m.parent_goid = 1;
      m.since_ns = 300 * kSecond;
    }
    Group& named = b_.group(b_.stack({b_.call(0x20, "zoo::Pool<int, (zoo::Kind)2>::run() const",
                                              "/src/pool.hpp", 7, 2)}),
                            "select", {3, 4});
    named.labels = {{"k", "a, 7 minutes, [x] {y}: z"}};
    named.members[0].name = b_.text("first worker");
    named.members[1].name = b_.text("second");
    for (const std::string name :
         {"operator/(A, B)", "operator%=(A)", "operator+(A, B)", "operator()() const",
          "x::{lambda(int)#1}::operator()", "f.cold", "a.b/c.d%2e",
          "(anonymous namespace)::f(char const*)", "name\nwith\tcontrols", "päth"}) {
      odd_.push_back(b_.call(0x1000 + odd_.size(), name,
                             "/src/" + std::to_string(odd_.size()) + ".cpp", 1, 3));
    }
    b_.group(b_.stack(odd_, true), "sync.WaitGroup.Wait", {5}).created_by = odd_[1];
    b_.group(b_.stack({}), "", {6}).created_by = main;
    b_.group(b_.stack({b_.location(0x3000, {})}), "IO wait", {7}).thread = true;
    Object connection;
    connection.kind = "io";
    connection.network = b_.text("tcp");
    connection.local = b_.text("[::1]:80");
    connection.remote = b_.text("[::1]:4711");
    b_.snapshot.objects.push_back(connection);
    Member& reader = b_.group(b_.stack({main}), "IO wait", {10}).members[0];
    reader.object_count = reader.objects_total = 1;
    reader.since_ns = 420 * kSecond;
    b_.group(b_.stack({main}), "", {11}).members[0].since_ns = 77 * kSecond;
    Group& starved = b_.group(b_.stack({main}), "", {12});
    starved.state = State::runnable;
    starved.members[0].since_ns = 66 * kSecond;
    b_.group(b_.stack({b_.call(0x4000, "no_file", "", 0, 1)}), "sleep", {8});
    b_.group(b_.stack({b_.call(0x5000, "weird_file", "/x:12/e\nf", 3, 1)}), "sleep", {9});
  }

  std::string read(const std::string& options) {
    return ReaderProcess().read("panicparse -no-color" + options,
                                written(write_debug2, b_.snapshot));
  }

  SnapshotBuilder b_;
  std::vector<uint32_t> odd_;
};

TEST_F(EncodeDebug2Panicparse, ReadsEveryGoroutineAndGroupsThem) {
  for (const std::string options :
       {"", " -aggressive", " -full-path", " -rebase=false -parse=false"}) {
    SCOPED_TRACE(options);
    const std::string out = read(options);
    SCOPED_TRACE(out);
    const auto has = [&out](std::string_view part) { return out.find(part) != out.npos; };
    EXPECT_TRUE(has("40: chan receive (nil chan) [5 minutes]"));
    EXPECT_TRUE(has("zoo::nil_chan_receive(weir::chan<std::pair<int, char>>)::lambda#2("));
    EXPECT_TRUE(has("leaks.cc:41 +0x1b .c:41"));
    EXPECT_TRUE(has("2: select\n"));  // no minutes out of a label
    EXPECT_TRUE(has("Pool<int, (zoo::Kind)2>::run() const("));
    EXPECT_TRUE(has("1: sync.WaitGroup.Wait"));
    EXPECT_TRUE(has("operator\u2215(A, B)("));
    EXPECT_TRUE(has("operator\uff05=(A)("));
    EXPECT_TRUE(has("operator()() const("));
    EXPECT_TRUE(has("(anonymous namespace)::f(char const*)("));
    EXPECT_TRUE(has("name\\nwith\\tcontrols("));
    EXPECT_TRUE(has("(...)\n"));  // elided
    EXPECT_TRUE(has("1: running\n"));
    EXPECT_TRUE(has("1: runnable\n"));
    EXPECT_TRUE(has("1: IO wait [7 minutes]"));
    EXPECT_TRUE(has("1: IO wait [locked]"));
    EXPECT_TRUE(has("no_file("));
    EXPECT_TRUE(has("weird_file("));
    // What it could not read, it passes on as it is.
    EXPECT_FALSE(has("]:\n"));
    EXPECT_FALSE(has("Failed:"));
  }
}

}  // namespace
