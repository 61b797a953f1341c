// parse_pprof: Go's, ours, and one sample per goroutine.
#include <gtest/gtest.h>

#include <algorithm>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <weir/profiler/encode.h>
#include <weir/profiler/parse.h>

#include "parse_util.h"
#include "reader_process.h"
#include "snapshot_builder.h"

namespace {

using namespace weir::profiler;
using protozero::pbf_writer;
using weir::profiler::testing::fixture;
using weir::profiler::testing::refusal;
using weir::profiler::testing::SnapshotBuilder;
using weir::profiler::testing::written;

// Builds a profile of one location, function main.f at /a.go:5.
class ProfileBuilder {
 public:
  explicit ProfileBuilder(const std::vector<std::string>& types = {"goroutine"}) {
    for (const std::string& type : types) {
      const int64_t name = text(type);
      pbf_writer(top_, 1).add_int64(1, name);
    }
    pbf_writer function(top_, 5);
    function.add_uint64(1, 1);
    function.add_int64(2, text("main.f"));
    function.add_int64(4, text("/a.go"));
    function.commit();
    pbf_writer location(top_, 4);
    location.add_uint64(1, 1);
    location.add_uint64(3, 0x1000);
    pbf_writer line(location, 4);
    line.add_uint64(1, 1);
    line.add_int64(2, 5);
  }

  using Label = std::pair<std::string, std::variant<std::string, int64_t>>;
  void sample(std::vector<int64_t> values, const std::vector<Label>& labels,
              uint64_t location = 1) {
    std::vector<std::pair<int64_t, std::variant<int64_t, int64_t>>> known;
    for (const auto& [key, value] : labels) {
      if (const auto* s = std::get_if<std::string>(&value)) {
        known.emplace_back(text(key),
                           std::variant<int64_t, int64_t>(std::in_place_index<0>, text(*s)));
      } else {
        known.emplace_back(text(key), std::variant<int64_t, int64_t>(std::in_place_index<1>,
                                                                     std::get<int64_t>(value)));
      }
    }
    pbf_writer to(top_, 2);
    to.add_packed_uint64(1, &location, &location + 1);
    to.add_packed_int64(2, values.begin(), values.end());
    for (const auto& [key, value] : known) {
      pbf_writer label(to, 3);
      label.add_int64(1, key);
      if (value.index() == 0) label.add_int64(2, std::get<0>(value));
      if (value.index() == 1) label.add_int64(3, std::get<1>(value));
    }
  }

  std::string bytes() const {
    std::string all = top_bytes_;
    pbf_writer to(all);
    for (const std::string& s : strings_) to.add_string(6, s);
    return all;
  }

 private:
  int64_t text(const std::string& s) {
    strings_.push_back(s);
    return static_cast<int64_t>(strings_.size()) - 1;
  }

  std::vector<std::string> strings_{""};
  std::string top_bytes_;
  pbf_writer top_{top_bytes_};
};

TEST(ParsePprof, Go119ToldByTheFunctions) {
  const Snapshot s = parse(fixture("go1.19-goroutine.pb.gz"));
  const Snapshot text = parse(fixture("go1.19-debug2.txt"));
  EXPECT_EQ(s.total, text.total);
  EXPECT_EQ(s.process, "fixture");
  EXPECT_GT(s.taken_at_ns, 0);
  ASSERT_FALSE(s.mappings.empty());
  const auto count = [&s](State state, const std::string& reason, const std::string& kind) {
    uint64_t sum = 0;
    for (const Group& g : s.groups) {
      if (g.state == state && g.wait_reason == reason && g.object_kind == kind) sum += g.count;
    }
    return sum;
  };
  EXPECT_EQ(count(State::waiting, "select (no cases)", ""), 1U);
  EXPECT_EQ(count(State::waiting, "sync.WaitGroup.Wait", "waitgroup"), 1U);
  EXPECT_EQ(count(State::waiting, "sync.Mutex.Lock", "mutex"), 2U);
  EXPECT_EQ(count(State::waiting, "sync.RWMutex.RLock", "rwmutex"), 1U);
  EXPECT_EQ(count(State::waiting, "sync.RWMutex.Lock", "rwmutex"), 1U);
  EXPECT_EQ(count(State::waiting, "sync.Cond.Wait", "cond"), 1U);
  EXPECT_EQ(count(State::waiting, "IO wait", "io"), 1U);
  EXPECT_EQ(count(State::waiting, "sleep", ""), 1U);
  EXPECT_EQ(count(State::syscall, "", ""), 3U);  // a read, a signal, C
  EXPECT_GE(count(State::waiting, "chan receive", "chan"), 5U);
}

TEST(ParsePprof, OursComesBackWithStateReasonAndLabels) {
  SnapshotBuilder b;
  b.snapshot.mappings.push_back({0x10, 0x9000, 0x10, "/bin/zoo", "abcd"});
  const uint32_t stack =
      b.stack({b.location(0x20, {b.frame("in", "/a.cc", 1, 0), b.frame("out", "/a.cc", 2, 0)}, 1)});
  b.counted(stack, "chan send", 5).labels = {{"a", "b"}, {"created_by_me", ""}};
  b.counted(stack, "", 4).state = State::runnable;
  b.counted(b.stack({}), "", 3);
  const Snapshot s = parse_pprof(written(write_pprof, b.snapshot));
  ASSERT_EQ(s.groups.size(), 3U);
  EXPECT_EQ(s.groups[0].wait_reason, "chan send");
  EXPECT_EQ(s.groups[0].labels, b.snapshot.groups[0].labels);
  EXPECT_EQ(s.groups[0].object_kind, "chan");
  EXPECT_EQ(s.groups[1].state, State::runnable);
  EXPECT_EQ(s.groups[2].state, State::running);
  EXPECT_TRUE(s.stacks[s.groups[2].stack].locations.empty());
  const Location& l = s.locations[s.stacks[s.groups[0].stack].locations[0]];
  EXPECT_EQ(l.mapping, 1U);
  ASSERT_EQ(l.frames.size(), 2U);
  EXPECT_EQ(s.frames[l.frames[1]], (Frame{"out", "/a.cc", 2, 0, false}));
  EXPECT_EQ(s.mappings, b.snapshot.mappings);
}

TEST(ParsePprof, CockroachsSamplesAreMembers) {
  ProfileBuilder b;
  b.sample({1}, {{"pool", "x"},
                 {"go::goroutine", 7},
                 {"go::goroutine_created_by", 1},
                 {"go::goroutine_state", "chan receive"},
                 {"go::goroutine_wait_minutes", 3}});
  b.sample({1}, {{"pool", "x"},
                 {"go::goroutine", 5},
                 {"go::goroutine_created_by", 1},
                 {"go::goroutine_state", "chan receive"}});
  b.sample({1}, {{"go::goroutine", 6}, {"go::goroutine_state", "running"}});
  const Snapshot s = parse(b.bytes());
  ASSERT_EQ(s.groups.size(), 2U);
  const Group& g = s.groups[0];
  EXPECT_EQ(g.wait_reason, "chan receive");
  EXPECT_EQ(g.labels.size(), 1U);
  ASSERT_EQ(g.members.size(), 2U);
  EXPECT_EQ(g.members[0].goid, 5U);
  EXPECT_EQ(g.members[0].since_ns, -1);
  EXPECT_EQ(g.members[1].goid, 7U);
  EXPECT_EQ(g.members[1].parent_goid, 1U);
  EXPECT_EQ(g.members[1].since_ns, 180'000'000'000);
  EXPECT_EQ(g.oldest_ns, 180'000'000'000);
  EXPECT_EQ(s.groups[1].state, State::running);
}

TEST(ParsePprof, WaitsStackBytesAndCpuTimeOfEachGoroutine) {
  ProfileBuilder b({"goroutine", "wait"});
  b.sample({1, 500}, {{"state", "mine"},
                      {"go::goroutine", "7"},
                      {"wait_ns", 500},
                      {"stack_bytes", 4096},
                      {"cpu_ns", 12},
                      {"parent_goid", 3},
                      {"state", "waiting"},
                      {"wait_reason", "select"},
                      {"created_by", "main.start"}});
  const Snapshot s = parse(b.bytes());
  ASSERT_EQ(s.groups.size(), 1U);
  const Group& g = s.groups[0];
  EXPECT_EQ(g.wait_ns, 500);
  EXPECT_EQ(g.oldest_ns, 500);
  EXPECT_EQ(g.wait_reason, "select");
  EXPECT_EQ(g.labels, (std::vector<std::pair<std::string, std::string>>{{"state", "mine"}}));
  ASSERT_EQ(g.members.size(), 1U);
  EXPECT_EQ(g.members[0], (Member{7, 3, 500, 0, 0, 0, 0, 4096, 12}));
  ASSERT_NE(g.created_by, kNone);
  EXPECT_EQ(s.frames[s.locations[g.created_by].frames[0]], (Frame{"main.start", "", 0, 0, false}));
}

TEST(ParsePprof, WaitsOfGroupsAreSummed) {
  ProfileBuilder b({"goroutine", "wait"});
  b.sample({3, 500}, {{"state", "waiting"}, {"wait_reason", "select"}});
  b.sample({2, 40}, {{"state", "waiting"}, {"wait_reason", "select"}});
  const Snapshot s = parse(b.bytes());
  ASSERT_EQ(s.groups.size(), 1U);
  EXPECT_EQ(s.groups[0].count, 5U);
  EXPECT_EQ(s.groups[0].wait_ns, 540);
}

TEST(ParsePprof, IdsThatAreNotUniqueTellNothing) {
  ProfileBuilder b;
  b.sample({1}, {{"go::goroutine", 7}});
  b.sample({1}, {{"go::goroutine", 7}});
  const Snapshot s = parse(b.bytes());
  EXPECT_EQ(s.total, 2U);
  EXPECT_TRUE(s.groups[0].members.empty());
}

TEST(ParsePprof, WhatIsWrongIsNamedWithItsByte) {
  EXPECT_EQ(refusal(parse, ProfileBuilder({"samples", "cpu"}).bytes()),
            "pprof: not a profile of goroutines: expected a sample type `goroutine`, found "
            "\"cpu\" \"samples\"");
  ProfileBuilder negative;
  negative.sample({-2}, {});
  const std::string why = refusal(parse, negative.bytes());
  EXPECT_TRUE(why.starts_with("pprof: byte ")) << why;
  EXPECT_TRUE(why.ends_with("found -2: a difference of profiles is no snapshot")) << why;
  ProfileBuilder lost;
  lost.sample({1}, {}, UINT64_MAX);
  EXPECT_TRUE(refusal(parse, lost.bytes())
                  .ends_with("expected the id of a location, found 18446744073709551615"));
  ProfileBuilder short_one;
  short_one.sample({}, {});
  EXPECT_TRUE(
      refusal(parse, short_one.bytes()).ends_with("expected a sample with 1 values, found 0"));
  ProfileBuilder whole;
  whole.sample({1}, {{"k", "v"}});
  const std::string bytes = whole.bytes();
  EXPECT_EQ(parse(bytes).total, 1U);
  for (size_t cut = 0; cut + 1 < bytes.size(); ++cut) {
    ASSERT_NE(refusal(parse_pprof, bytes.substr(0, cut)), "") << cut;
  }
}

// A long text that many short samples refer to.
TEST(ParsePprof, TextsThatAreReferredToOverAndOverAreBounded) {
  ProfileBuilder b;
  const std::string name(100'000, 'n');
  for (int i = 0; i < 3; ++i) b.sample({1}, {{"k" + std::to_string(i), name}});
  EXPECT_EQ(parse(b.bytes()).total, 3U);
  std::string bytes = b.bytes();
  std::string one;  // a sample with the labels {number i: the name}
  for (int64_t i = 0; i < 100'000; ++i) {
    pbf_writer to(bytes);
    pbf_writer sample(to, 2);
    const uint64_t location = 1;
    const int64_t count = 1;
    sample.add_packed_uint64(1, &location, &location + 1);
    sample.add_packed_int64(2, &count, &count + 1);
    for (int64_t bit = 0; bit < 17; ++bit) {
      pbf_writer label(sample, 3);
      label.add_int64(1, 4 + 2 * (i >> bit & 1));
      label.add_int64(2, 5);
    }
  }
  EXPECT_EQ(refusal(parse, bytes),
            "the input describes more than 64 times its own size (ParseOptions::max_expansion)");
}

}  // namespace
