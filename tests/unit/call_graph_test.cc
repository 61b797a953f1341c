// CallGraph: pprof's rules on small stacks that a reader can follow, and, with random ones, the
// same nodes, edges and numbers as `go tool pprof -dot` on the profile that we write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <weir/profiler/call_graph.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/error.h>

#include "reader_process.h"
#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ReaderProcess;
using testing::SnapshotBuilder;
using ::testing::UnorderedElementsAre;

// "f 2/5": flat and cum; "f -> g 3", "..>" where residual, " inline" where so.
std::set<std::string> texts(const CallGraph& g) {
  const auto name = [](const CallGraph::Node& n) {
    std::string text = n.function;
    if (n.address != 0) {
      char hex[32];
      std::snprintf(hex, sizeof hex, "%016lx ", static_cast<unsigned long>(n.address));
      text = hex + text;
    }
    if (n.function.empty()) text += "[" + n.object.substr(n.object.rfind('/') + 1) + "]";
    if (n.line != 0) {
      text += " " + n.file + ":" + std::to_string(n.line);
    } else if (!n.file.empty()) {
      text += " " + n.file;
    }
    return text;
  };
  std::set<std::string> all;
  for (const CallGraph::Node& n : g.nodes) {
    EXPECT_TRUE(
        all.insert(name(n) + " " + std::to_string(n.flat) + "/" + std::to_string(n.cum)).second);
  }
  for (const CallGraph::Edge& e : g.edges) {
    all.insert(name(g.nodes.at(e.from)) + (e.residual ? " ... " : " -> ") + name(g.nodes.at(e.to)) +
               " " + std::to_string(e.weight) + (e.inlined ? " inline" : ""));
  }
  return all;
}

// The same of pprof's -dot.
std::set<std::string> pprof_texts(const std::string& dot) {
  const auto attribute = [](const std::string& line, const std::string& key) {
    const size_t at = line.find(key + "=\"");
    if (at == line.npos) return std::string();
    const size_t from = at + key.size() + 2;
    return line.substr(from, line.find('"', from) - from);
  };
  std::set<std::string> all;
  size_t from = 0;
  while (from < dot.size()) {
    const size_t end = std::min(dot.find('\n', from), dot.size());
    const std::string line = dot.substr(from, end - from);
    from = end + 1;
    if (line.empty() || line[0] != 'N') continue;
    const std::string id = line.substr(0, line.find(" ["));
    if (id.find('_') != id.npos) continue;  // a tag's
    const std::string tooltip = attribute(line, "tooltip");
    const std::string name = tooltip.substr(0, tooltip.rfind(" ("));
    std::string number = tooltip.substr(name.size() + 2);
    number.pop_back();
    if (id.find("->") != id.npos) {
      all.insert(name + " " + number + (line.find("(inline)") != line.npos ? " inline" : ""));
      continue;
    }
    const std::string label = attribute(line, "label");
    const auto line_before = [&label](size_t end) {
      const size_t at = end == 0 ? label.npos : label.rfind("\\n", end - 1);
      return label.substr(at == label.npos ? 0 : at + 2, end - (at == label.npos ? 0 : at + 2));
    };
    std::string flat = line_before(label.size());
    if (flat.starts_with("of ")) flat = line_before(label.rfind("\\n"));
    all.insert(name + " " + flat.substr(0, flat.find(' ')) + "/" + number);
  }
  return all;
}

// What is in one alone.
std::vector<std::string> difference(const std::set<std::string>& ours,
                                    const std::set<std::string>& theirs) {
  std::vector<std::string> all;
  for (const std::string& t : ours) {
    if (!theirs.contains(t)) all.push_back("ours alone: " + t);
  }
  for (const std::string& t : theirs) {
    if (!ours.contains(t)) all.push_back("pprof's alone: " + t);
  }
  return all;
}

// main -> serve -> {read, write}; write is inlined into serve; idle stands alone.
class SmallGraph : public ::testing::Test {
 protected:
  SmallGraph() {
    const uint32_t main = b.call(0x10, "main", "main.cc", 1, 1);
    const uint32_t serve = b.frame("serve", "serve.cc", 20, 1);
    const uint32_t write = b.frame("write", "io.cc", 7, 1);
    const uint32_t at_read = b.location(0x20, {serve});
    const uint32_t at_write = b.location(0x28, {write, serve});
    const uint32_t park = b.runtime_call(0x1, "weir::rt::gopark");
    b.group(b.stack({park, b.call(0x30, "read", "io.cc", 3, 1), at_read, main}), "IO wait",
            {1, 2, 3});
    b.group(b.stack({park, at_write, main}), "chan send", {4, 5});
    b.group(b.stack({park, b.call(0x40, "idle", "idle.cc", 1, 1)}), "select", {6});
  }
  SnapshotBuilder b;
  CallGraphOptions all{.nodefraction = 0, .edgefraction = 0};
};

TEST_F(SmallGraph, FlatIsWhereItStandsCumIsWhatPassesThrough) {
  const CallGraph g = call_graph(b.snapshot, all);
  EXPECT_THAT(texts(g), UnorderedElementsAre("main 0/5", "serve 0/5", "read 3/3", "write 2/2",
                                             "idle 1/1", "main -> serve 5", "serve -> read 3",
                                             "serve -> write 2 inline"));
  EXPECT_EQ(g.total, 6);
  EXPECT_EQ(g.process, "zoo");
}

TEST_F(SmallGraph, FocusAndIgnoreChooseGoroutinesOfTheSameTotal) {
  all.focus = "rea[d]";
  CallGraph g = call_graph(b.snapshot, all);
  EXPECT_THAT(texts(g), UnorderedElementsAre("main 0/3", "serve 0/3", "read 3/3", "main -> serve 3",
                                             "serve -> read 3"));
  EXPECT_EQ(g.total, 6);
  EXPECT_THAT(g.filters, ElementsAre("focus=rea[d]"));
  all.focus = "";
  all.ignore = "io\\.cc";  // files count, too
  g = call_graph(b.snapshot, all);
  EXPECT_THAT(texts(g), UnorderedElementsAre("idle 1/1"));
}

TEST_F(SmallGraph, HideAndShowTakeFramesAway) {
  all.hide = "serve";
  // "serve.cc" matches it, too, but write's frame is another.
  EXPECT_THAT(texts(call_graph(b.snapshot, all)),
              UnorderedElementsAre("main 0/5", "read 3/3", "write 2/2", "idle 1/1",
                                   "main -> read 3", "main -> write 2"));
  all.hide = "";
  all.show = "main|write";
  EXPECT_THAT(texts(call_graph(b.snapshot, all)),
              UnorderedElementsAre("main 3/5", "write 2/2", "main -> write 2"));
}

TEST_F(SmallGraph, NodesBelowTheFractionLeaveDottedEdges) {
  // serve is made small by another path to read.
  const uint32_t main = b.call(0x10, "main", "main.cc", 1, 1);
  const uint32_t read = b.call(0x30, "read", "io.cc", 3, 1);
  b.counted(b.stack({read, main}), "IO wait", 94);
  all.nodefraction = 0.06;
  const CallGraph g = call_graph(b.snapshot, all);
  EXPECT_THAT(texts(g), UnorderedElementsAre("main 0/99", "read 97/97", "main ... read 97"));
  EXPECT_EQ(g.dropped_nodes, 3U);
  EXPECT_EQ(g.node_cutoff, 6U);
}

TEST_F(SmallGraph, LinesOfOneFunctionAreNodesWhenAsked) {
  all.granularity = Granularity::lines;
  all.focus = "write|idle";
  EXPECT_THAT(
      texts(call_graph(b.snapshot, all)),
      UnorderedElementsAre("main main.cc:1 0/2", "serve serve.cc:20 0/2", "write io.cc:7 2/2",
                           "idle idle.cc:1 1/1", "main main.cc:1 -> serve serve.cc:20 2",
                           "serve serve.cc:20 -> write io.cc:7 2 inline"));
}

TEST(CallGraph, RecursionCountsOnce) {
  SnapshotBuilder b;
  const uint32_t f = b.call(0x10, "f", "f.cc", 1, 1), g = b.call(0x20, "g", "f.cc", 2, 1);
  b.counted(b.stack({f, g, f, f, g, f}), "select", 7);
  EXPECT_THAT(texts(call_graph(b.snapshot, {})),
              UnorderedElementsAre("f 7/7", "g 0/7", "f -> g 7", "g -> f 7"));
}

TEST(CallGraph, TagsTellWhatIsWaitedForAndThePlacesWhere) {
  SnapshotBuilder b;
  const uint32_t one = b.call(0x10, "f", "f.cc", 1, 1), two = b.call(0x18, "f", "f.cc", 2, 9);
  b.group(b.stack({one}), "chan send", {1, 2}).labels = {{"pool", "a"}};
  b.group(b.stack({two}), "", {3});
  const CallGraph g = call_graph(b.snapshot, {});
  ASSERT_EQ(g.nodes.size(), 1U);
  ASSERT_EQ(g.nodes[0].tags.size(), 2U);
  EXPECT_EQ(g.nodes[0].tags[0].text, "chan send\npool: a");
  EXPECT_EQ(g.nodes[0].tags[0].flat, 2);
  EXPECT_EQ(g.nodes[0].tags[1].text, "running");
  ASSERT_EQ(g.nodes[0].places.size(), 2U);
  EXPECT_EQ(g.nodes[0].places[0].line, 1);
  EXPECT_EQ(g.nodes[0].places[0].count, 2);
  EXPECT_THAT(call_graph(b.snapshot, {.tags = false}).nodes[0].tags, IsEmpty());
}

TEST(CallGraph, WhatHasNoNameIsItsObjectAndWhatHasNoStackIsToldToo) {
  SnapshotBuilder b;
  b.snapshot.mappings.push_back({0x1000, 0x2000, 0, "/usr/lib/libx.so", ""});
  b.counted(b.stack({b.location(0x1010, {}, 1)}), "select", 2);
  b.counted(b.stack({}), "select", 1);
  EXPECT_THAT(texts(call_graph(b.snapshot, {})),
              UnorderedElementsAre("[libx.so] 2/2", "[stack unavailable] 1/1"));
}

TEST(CallGraph, OfNothingIsEmpty) {
  const CallGraph g = call_graph(Snapshot{}, {});
  EXPECT_THAT(g.nodes, IsEmpty());
  EXPECT_EQ(g.total, 0);
}

TEST(CallGraph, IndexesThatPointNowhereArePassedOver) {
  SnapshotBuilder b;
  b.counted(b.stack({b.location(0x10, {77}, 9), 1234}), "select", 2);
  b.counted(4711, "select", 1).created_by = 99;
  EXPECT_EQ(call_graph(b.snapshot, {}).total, 3);
}

TEST(CallGraph, NoSumIsMoreThanThereIsRoomFor) {
  SnapshotBuilder b;
  const uint32_t main = b.call(0x10, "main", "main.cc", 1, 0);
  const uint32_t stack = b.stack({b.call(0x20, "f", "main.cc", 2, 0), main});
  for (int i = 0; i < 3; ++i) b.counted(stack, "select", UINT64_MAX - 1);
  const CallGraph g = call_graph(b.snapshot);
  EXPECT_EQ(g.total, INT64_MAX);
  for (const CallGraph::Node& n : g.nodes) EXPECT_EQ(n.cum, INT64_MAX);
}

TEST(CallGraph, AnErrorNamesTheOptionAndTheFault) {
  const auto message = [](const CallGraphOptions& options) {
    try {
      call_graph(Snapshot{}, options);
    } catch (const error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message({.focus = "a(b"}),
            "invalid value for \"focus\": not a regular expression: missing ): a(b");
  EXPECT_THAT(message({.hide = "[\n"}), HasSubstr("\"hide\""));
  EXPECT_THAT(message({.show = std::string(1001, 'a')}), HasSubstr("longer than 1000 bytes"));
  EXPECT_THAT(message({.ignore = "((((a{1000}){1000}){1000}){1000})"}), HasSubstr("\"ignore\""));
}

TEST(CallGraph, AHostilePatternTakesNoTime) {
  SnapshotBuilder b;
  b.counted(b.stack({b.call(0x10, std::string(100'000, 'a'), "f.cc", 1, 1)}), "select", 1);
  EXPECT_THAT(call_graph(b.snapshot, {.focus = "(a*)*(a*)*(a|aa)+$b"}).nodes, IsEmpty());
}

// ---- beside pprof ----

// Stacks over few functions with recursion, inlined calls, runtime frames, labels, and a library
// without names.
Snapshot random_snapshot(unsigned seed, const std::vector<int>& weights) {
  std::mt19937 random(seed);
  const auto below = [&random](unsigned n) { return random() % n; };
  SnapshotBuilder b;
  b.snapshot.mappings.push_back({0x1000, 0x90000, 0, "/opt/prog", ""});
  b.snapshot.mappings.push_back({0x90000, 0x99000, 0, "/opt/libnameless.so", ""});
  std::vector<uint32_t> frames, locations;
  for (int i = 0; i < 90; ++i) {
    frames.push_back(b.frame("zoo::f" + std::to_string(i % 60),
                             "dir/./f" + std::to_string(i % 7) + ".cc", 1 + i, 1));
  }
  for (uint64_t i = 0; i < 120; ++i) {
    std::vector<uint32_t> at;
    for (unsigned n = 1 + below(3); n > 0; --n) at.push_back(frames[below(90)]);
    locations.push_back(b.location(0x1000 + 16 * i, at, 1));
  }
  for (uint64_t i = 0; i < 3; ++i) locations.push_back(b.location(0x90000 + 16 * i, {}, 2));
  const uint32_t park = b.runtime_call(0x500, "weir::rt::gopark");
  const uint32_t start = b.runtime_call(0x510, "weir::rt::start");
  for (const int weight : weights) {
    std::vector<uint32_t> stack{park};
    // Some paths are trodden often, so that there are heavy and light nodes.
    const unsigned narrow = below(3) == 0 ? 123 : 15;
    for (unsigned n = 1 + below(9); n > 0; --n) stack.push_back(locations[below(narrow)]);
    stack.push_back(start);
    Group& g =
        b.counted(b.stack(stack), below(2) ? "select" : "chan send", static_cast<uint64_t>(weight));
    if (below(3) == 0) g.labels = {{"pool", std::string(1, static_cast<char>('a' + below(6)))}};
  }
  return std::move(b.snapshot);
}

std::vector<int> weights(unsigned seed, int n) {
  std::mt19937 random(seed);
  std::vector<int> all;
  for (int i = 0; i < n; ++i) all.push_back(1 + static_cast<int>(random() % (i % 10 ? 9 : 400)));
  return all;
}

struct Case {
  const char* name;
  const char* arguments;  // pprof's
  CallGraphOptions options;
};
void PrintTo(const Case& c, std::ostream* to) { *to << c.arguments; }

std::string pprof(const std::string& arguments, const Snapshot& s) {
  return ReaderProcess().read(
      "go tool pprof -symbolize=none -tagshow='^(state|wait_reason|pool)$' -dot " + arguments,
      testing::written(write_pprof, s));
}

class LikePprof : public ::testing::TestWithParam<Case> {};

TEST_P(LikePprof, SameNodesSameEdgesSameNumbers) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    const Snapshot s = random_snapshot(seed, weights(seed, 300));
    const std::set<std::string> expected = pprof_texts(pprof(GetParam().arguments, s));
    EXPECT_GT(expected.size(), 5U);
    EXPECT_THAT(difference(texts(call_graph(s, GetParam().options)), expected), IsEmpty())
        << "seed " << seed;
  }
}

// Without bounds: calls that are as frequent as before make pprof rank nodes by what is not a
// number.
TEST(CallGraphDifference, IsPprofsDiffBase) {
  const std::string everything = "-nodecount=0 -nodefraction=0 -edgefraction=0 ";
  for (const auto& [arguments, options] :
       {std::pair("", CallGraphOptions{}),
        {"-focus=f1", CallGraphOptions{.focus = "f1"}},
        {"-hide=f2", CallGraphOptions{.hide = "f2"}},
        {"-lines", CallGraphOptions{.granularity = Granularity::lines}}}) {
    CallGraphOptions all = options;
    all.nodecount = 0;
    all.nodefraction = all.edgefraction = 0;
    const Snapshot now = random_snapshot(4, weights(4, 200));
    Snapshot old = now;
    std::mt19937 random(4);
    for (Group& g : old.groups) {
      if (random() % 4 == 0) g.count = random() % 3 == 0 ? 0 : 1 + random() % 60;
    }
    std::string path = ::testing::TempDir() + "weir-base-XXXXXX";
    const int fd = ::mkstemp(path.data());
    ASSERT_GE(fd, 0);
    ::close(fd);
    std::ofstream(path, std::ios::binary) << testing::written(write_pprof, old);
    std::set<std::string> theirs =
        pprof_texts(pprof(everything + arguments + std::string(" -diff_base='") + path + "'", now));
    ::unlink(path.c_str());
    const CallGraph g = call_graph_difference(old, now, all);
    EXPECT_TRUE(g.is_difference);
    std::set<std::string> ours = texts(g);
    // pprof draws edges to nodes that have not changed, and are therefore left out, too.
    const auto is_zero = [](const std::string& t) {
      return t.find("->") != t.npos && (t.ends_with(" 0") || t.ends_with(" 0 inline"));
    };
    std::erase_if(ours, is_zero);
    std::erase_if(theirs, is_zero);
    EXPECT_GT(theirs.size(), 50U);
    EXPECT_THAT(difference(ours, theirs), IsEmpty()) << arguments;
  }
}

TEST(CallGraphDifference, SharesAreOfTheOldSide) {
  SnapshotBuilder old, now;
  for (SnapshotBuilder* b : {&old, &now}) {
    b->counted(b->stack({b->call(0x10, "f", "f.cc", 1, 1)}), "select", b == &old ? 4 : 10);
    b->counted(b->stack({b->call(0x20, "g", "f.cc", 2, 1)}), "select", 3);
  }
  const CallGraph g = call_graph_difference(old.snapshot, now.snapshot, {});
  EXPECT_THAT(texts(g), UnorderedElementsAre("f 6/6"));
  EXPECT_EQ(g.total, 7);
  EXPECT_EQ(call_graph_difference({}, now.snapshot, {}).total, 13);
}

INSTANTIATE_TEST_SUITE_P(
    Options, LikePprof,
    ::testing::Values(Case{"Defaults", "", {}}, Case{"Few", "-nodecount=12", {.nodecount = 12}},
                      Case{"All",
                           "-nodecount=0 -nodefraction=0 -edgefraction=0",
                           {.nodecount = 0, .nodefraction = 0, .edgefraction = 0}},
                      Case{"Fractions",
                           "-nodefraction=0.08 -edgefraction=0.02",
                           {.nodefraction = 0.08, .edgefraction = 0.02}},
                      Case{"FewOfMany",
                           "-nodecount=25 -nodefraction=0.03 -edgefraction=0.01",
                           {.nodecount = 25, .nodefraction = 0.03, .edgefraction = 0.01}},
                      Case{"Focus", "-focus='f1[0-9]|f3.cc'", {.focus = "f1[0-9]|f3.cc"}},
                      Case{"Ignore", "-ignore='f(7|8|22)$'", {.ignore = "f(7|8|22)$"}},
                      Case{"Hide", "-hide='f[1-4]$|nameless'", {.hide = "f[1-4]$|nameless"}},
                      Case{"Show", "-show='f[1-4]'", {.show = "f[1-4]"}},
                      Case{"Together",
                           "-focus=f5 -ignore=f12 -hide=f2 -nodecount=20",
                           {.focus = "f5", .ignore = "f12", .hide = "f2", .nodecount = 20}},
                      Case{"Lines", "-lines", {.granularity = Granularity::lines}},
                      Case{"Addresses",
                           "-addresses -nodecount=30",
                           {.granularity = Granularity::addresses, .nodecount = 30}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace weir::profiler
