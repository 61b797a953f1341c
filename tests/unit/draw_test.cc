// Drawing: DOT that Graphviz reads as it was meant, whatever names hold; pictures that are bounded,
// and an SVG that may stand within a page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include <weir/profiler/draw.h>
#include <weir/profiler/error.h>

#include "dot.h"
#include "reader_process.h"
#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;
using testing::SnapshotBuilder;

std::vector<std::string> hostile_names() {
  return {
      "\"><script>alert(1)</script>",
      "a\" onload=\"alert(1)",
      "&#x3c;script&#x3e; &lt;b&gt; &amp; &#x;",
      "\\N \\G \\E \\L \\l \\\"",
      "line\nbreak\r\t\x01 end",
      "]]> <!-- --> <![CDATA[",
      "<table><tr><td>html</td></tr></table>",
      "\xff\xfe not utf-8 \xc3",
      "\xe2\x80\xae right to left",
      std::string(10'000, 'x'),
      std::string("nul\0nul", 7),
      "javascript:alert(1)",
      "operator\"\" _s; } N9 [shape=evil]",
      "",
  };
}

// Every text that a snapshot has is hostile.
Snapshot hostile_snapshot() {
  SnapshotBuilder b;
  b.snapshot.process = "\"><script>alert(0)</script>\\N";
  uint64_t address = 0x10;
  for (const std::string& name : hostile_names()) {
    const uint32_t leaf = b.location(address++, {b.frame(name, name, 1, 1)});
    const uint32_t root = b.location(address++, {b.frame("root::" + name, name, 2, 1)});
    Group& g = b.group(b.stack({leaf, root}), name.empty() ? "select" : name, {address});
    g.labels = {{name, name}};
    g.created_by = root;
    Object o;
    o.kind = address % 3 == 0 ? name : "mutex";
    o.address = address;
    o.made_at = leaf;
    o.owner_goid = 1;
    g.members[0].first_object = static_cast<uint32_t>(b.snapshot.objects.size());
    g.members[0].object_count = 1;
    b.snapshot.objects.push_back(o);
  }
  return std::move(b.snapshot);
}

// Elements and attributes of an SVG are of these few only; text holds no markup.
void expect_safe(const std::string& svg) {
  ASSERT_THAT(svg, StartsWith("<svg "));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_THAT(svg, Not(HasSubstr("<!DOCTYPE")));
  static const std::vector<std::string> elements = {"svg", "g",    "title",   "polygon", "path",
                                                    "a",   "text", "ellipse", "polyline"};
  for (size_t at = svg.find('<'); at != svg.npos; at = svg.find('<', at + 1)) {
    if (svg.compare(at, 4, "<!--") == 0) {
      at = svg.find("-->", at);
      ASSERT_NE(at, svg.npos);
      continue;
    }
    const size_t from = at + (svg[at + 1] == '/' ? 2 : 1);
    const std::string element = svg.substr(from, svg.find_first_of(" >/", from) - from);
    EXPECT_THAT(elements, ::testing::Contains(element)) << svg.substr(at, 60);
    // Attributes: names of letters, values in quotes, up to the end of the tag.
    size_t i = from + element.size();
    while (i < svg.size() && svg[i] != '>') {
      if (std::string_view(" \n/").find(svg[i]) != std::string_view::npos) {
        ++i;
        continue;
      }
      const size_t equals = svg.find('=', i);
      const std::string name = svg.substr(i, equals - i);
      EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzBVx:-"), name.npos) << name;
      EXPECT_FALSE(name.starts_with("on")) << name;
      EXPECT_NE(name, "href");
      EXPECT_NE(name, "xlink:href");
      ASSERT_EQ(svg.at(equals + 1), '"');
      i = svg.find('"', equals + 2) + 1;
    }
    at = i;
  }
}

TEST(Dot, EscapesWhatGraphvizWouldRead) {
  using dot_text::Use;
  const auto escaped = [](std::string_view text, Use use = Use::label) {
    std::string to;
    dot_text::append_escaped(to, text, use);
    return to;
  };
  EXPECT_EQ(escaped("a\"b\\N&lt;\n<x>"), "a\\\"b\\\\N&amp;lt;\\n<x>");
  EXPECT_EQ(escaped("\x01\xff"), "\\\\x01\\\\xff");
  EXPECT_EQ(escaped("a\\N\n\x01", Use::tooltip), R"(a\\\\N&#10;\\\\x01)");
  EXPECT_EQ(escaped("a\nb", Use::line), "a b");
}

TEST(Dot, NamesAsLines) {
  using dot_text::name_lines;
  EXPECT_EQ(name_lines("zoo::nil_chan_receive::lambda"), "zoo\nnil_chan_receive\nlambda\n");
  EXPECT_EQ(name_lines("app::db::Pool::take"), "Pool\ntake\n");
  EXPECT_EQ(name_lines("std::vector<std::string>::push_back"),
            "std\nvector<std::string>\npush_back\n");
  EXPECT_EQ(name_lines("github.com/a/b/pool.(*Pool).get.func1"), "pool\n(*Pool)\nget\nfunc1\n");
  EXPECT_EQ(name_lines("main.main"), "main\nmain\n");
  EXPECT_EQ(name_lines("a::b::c::d::e::f::g::h"), "a\n…\ne\nf\ng\nh\n");
  EXPECT_EQ(name_lines(""), "?\n");
  EXPECT_LT(name_lines(std::string(10'000, 'x')).size(), 60U);
}

TEST(Dot, ColorsAndShares) {
  using dot_text::color;
  using dot_text::percentage;
  EXPECT_EQ(color(1, false), "#b20000");
  EXPECT_EQ(color(-1, false), "#00b200");
  EXPECT_EQ(color(0, false), "#b2b2b2");
  EXPECT_EQ(color(0.0716, false), "#b29572");  // as pprof prints it
  EXPECT_EQ(color(0.0716, true), "#ede9e4");
  EXPECT_EQ(color(5, true), color(1, true));
  EXPECT_EQ(percentage(81, 1131), "7.16%");
  EXPECT_EQ(percentage(1131, 1131), "100%");
  EXPECT_EQ(percentage(1, 300), "0.33%");
  EXPECT_EQ(percentage(-1, 2), "50.00%");
  EXPECT_EQ(percentage(1, 0), "0%");
  EXPECT_EQ(dot_text::duration(5'400'000'000'000), "1h30m");
  EXPECT_EQ(dot_text::duration(42'000'000), "42ms");
}

TEST(Draw, HostileNamesStayTextInSvg) {
  const Snapshot s = hostile_snapshot();
  expect_safe(render(dot(call_graph(s)), Picture::svg));
  expect_safe(render(dot(wait_graph(s)), Picture::svg));
  expect_safe(render(dot(call_graph_difference(s, {})), Picture::svg));
}

TEST(Draw, NamesAreShownAsTheyAre) {
  SnapshotBuilder b;
  b.counted(b.stack({b.call(0x10, "f<&lt;\\N\">", "a&amp;.cc", 1, 1)}), "select", 3);
  const std::string svg = render(dot(call_graph(b.snapshot)), Picture::svg);
  EXPECT_THAT(svg, HasSubstr(">f&lt;&amp;lt;\\N&quot;&gt;</text>"));
  EXPECT_THAT(svg, HasSubstr("f&lt;&amp;lt;\\N&quot;&gt; (3)&#10;"));  // the tooltip
  EXPECT_THAT(svg, HasSubstr("3 at a&amp;amp;.cc:1"));
}

TEST(Draw, APictureInEachFormat) {
  SnapshotBuilder b;
  b.counted(b.stack({b.call(0x10, "f", "f.cc", 1, 1)}), "select", 3);
  const std::string text = dot(call_graph(b.snapshot));
  EXPECT_THAT(render(text, Picture::png), StartsWith("\x89PNG\r\n"));
  EXPECT_THAT(render(text, Picture::svg), HasSubstr("3 (100%)"));
  EXPECT_THAT(render(dot(CallGraph{}), Picture::svg), StartsWith("<svg"));
  EXPECT_THAT(render(dot(WaitGraph{}), Picture::svg), StartsWith("<svg"));
}

// What a call throws; "" where it does not.
template <class F>
std::string failure(F f) {
  try {
    f();
  } catch (const error& e) {
    return e.what();
  }
  return {};
}

TEST(Draw, WhatIsNoGraphIsRefused) {
  EXPECT_THAT(failure([] { render("digraph {", Picture::svg); }), HasSubstr("does not accept"));
  EXPECT_THAT(failure([] { render("", Picture::svg); }), StartsWith("cannot draw: "));
}

// Complete graphs are what Graphviz is slowest with.
std::string endless_dot() {
  std::string text = "digraph {";
  for (int i = 0; i < 400; ++i) {
    for (int k = 0; k < 400; ++k) {
      if (i != k) text += "n" + std::to_string(i) + "->n" + std::to_string(k) + ";";
    }
  }
  return text + "}";
}

TEST(Draw, ALayoutThatTakesTooLongIsEnded) {
  const std::string text = endless_dot();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(failure([&] { render(text, Picture::svg, {.time = 300ms}); }),
              HasSubstr("takes longer than 300 ms"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
  // Nothing of it is left, and the next one is drawn.
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  EXPECT_THAT(render("digraph { a -> b }", Picture::svg), StartsWith("<svg"));
}

TEST(Draw, BoundsOfBytes) {
  EXPECT_THAT(failure([] { render(endless_dot(), Picture::svg, {.dot_bytes = 1000}); }),
              HasSubstr("larger than 1000 bytes"));
  EXPECT_THAT(failure([] { render("digraph { a -> b }", Picture::svg, {.picture_bytes = 100}); }),
              HasSubstr("larger than 100 bytes"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Draw, TheBoundOfMemory) {
  EXPECT_THAT(failure([] { render(endless_dot(), Picture::svg, {.memory = size_t{1} << 20}); }),
              StartsWith("cannot draw: "));
}
#endif

TEST(Draw, WorksWhereChildrenAreReapedBySomebodyElse) {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGCHLD, &ignore, &before);
  EXPECT_THAT(render("digraph { a -> b }", Picture::svg), StartsWith("<svg"));
  EXPECT_THAT(failure([] { render(endless_dot(), Picture::svg, {.time = 200ms}); }),
              HasSubstr("takes longer"));
  ::sigaction(SIGCHLD, &before, nullptr);
}

TEST(Draw, ManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> drawn{0};
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&drawn, i] {
      const std::string name = "n" + std::to_string(i);
      const std::string svg =
          render("digraph { " + name + " }", Picture::svg, {.time = std::chrono::minutes(2)});
      if (svg.find(">" + name + "<") != svg.npos) ++drawn;
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(drawn, 6);
}

TEST(Draw, LargeGraphsAreCutToABound) {
  SnapshotBuilder b;
  for (uint64_t i = 0; i < 6000; ++i) {
    b.counted(b.stack({b.call(0x10 + i, "f" + std::to_string(i), "f.cc", 1, 1)}), "select", 1);
  }
  const std::string text = dot(call_graph(
      b.snapshot, {.nodecount = 0, .nodefraction = 0, .edgefraction = 0, .tags = false}));
  EXPECT_THAT(text, HasSubstr("Showing top 2000 nodes out of 6000"));
  EXPECT_LT(text.size(), 1'000'000U);
}

TEST(GraphJson, Calls) {
  SnapshotBuilder b;
  const uint32_t f = b.call(0x10, "f", "f.cc", 3, 1), g = b.call(0x20, "\xff", "f.cc", 4, 1);
  b.counted(b.stack({f, g}), "select", 3);
  const auto j = nlohmann::json::parse(
      testing::written([](const CallGraph& c, const Sink& sink) { return write_json(c, sink); },
                       call_graph(b.snapshot, {.focus = "f"})));
  EXPECT_EQ(j["schema"], "weir.graph/1");
  EXPECT_EQ(j["kind"], "calls");
  EXPECT_EQ(j["filters"], nlohmann::json({"focus=f"}));
  ASSERT_EQ(j["nodes"].size(), 2U);
  EXPECT_EQ(j["nodes"][0]["function"], "f");
  EXPECT_EQ(j["nodes"][0]["flat"], 3);
  EXPECT_EQ(j["nodes"][0]["places"][0]["line"], 3);
  EXPECT_EQ(j["edges"][0]["from"], 1);
  EXPECT_EQ(j["edges"][0]["weight"], 3);
}

TEST(GraphJson, Waits) {
  const auto j = nlohmann::json::parse(
      testing::written([](const WaitGraph& w, const Sink& sink) { return write_json(w, sink); },
                       wait_graph(hostile_snapshot())));
  EXPECT_EQ(j["kind"], "waits");
  bool has_gone = false;
  for (const auto& e : j["edges"]) {
    const auto &from = j["nodes"].at(e["from"].get<size_t>()),
               &to = j["nodes"].at(e["to"].get<size_t>());
    if (e["relation"] == "waits_for") {
      EXPECT_EQ(from["type"], "goroutines");
      EXPECT_EQ(to["type"], "object");
    } else {
      EXPECT_EQ(from["type"], "object");
      has_gone |= to["type"] == "gone";
    }
  }
  EXPECT_TRUE(has_gone);
}

}  // namespace
}  // namespace weir::profiler
