// Graphs as text and as pictures.
//
// DOT and JSON are pure functions. Pictures are made by Graphviz (libgvc) from the DOT text, in a
// process of their own: this executable is started anew, runs the layout instead of main, and is
// bounded in time, memory and output. libgvc has locks for nobody, no way to be stopped, and it may
// end the process it is in; the observed process neither runs it nor is forked. Names come from
// anywhere, and are escaped for DOT and by it for SVG: an SVG holds no scripts, and may be
// embedded.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include <weir/profiler/call_graph.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/wait_graph.h>

namespace weir::profiler {

// Graphviz's language, for render() or for `dot -Tsvg`. Names are shortened; what is left of them
// is in the tooltips. Of very large graphs the first 2000 nodes and the first 5000 edges.
std::string dot(const CallGraph& g);
std::string dot(const WaitGraph& g);

// JSON, schema "weir.graph/1", for programs and for the page: src/graph_json.cc describes it.
bool write_json(const CallGraph& g, const Sink& sink);
bool write_json(const WaitGraph& g, const Sink& sink);

// The wait graph in words, for those who do not see pictures: stuck ones first.
bool write_text(const WaitGraph& g, const Sink& sink);

enum class Picture { svg, png };

struct RenderLimits {
  std::chrono::milliseconds time{10'000};
  size_t dot_bytes = size_t{8} << 20;       // of the text
  size_t picture_bytes = size_t{32} << 20;  // of the result
  size_t memory = size_t{1} << 30;          // bytes; no limit under sanitizers
};

// The picture. SVG begins at its <svg> element, so that it can stand within a page. Pictures are
// made one at a time; who comes meanwhile waits within their own time. Blocks the calling thread
// until the picture is there (80 nodes: about 100 ms): on a goroutine call it in weir::blocking,
// so that its P goes on without it. Throws weir::profiler::error: too large, not in time, or
// this process cannot start its executable anew (weir is part of a shared library that another
// program has loaded; /proc is not there); dot() still works then.
std::string render(std::string_view dot, Picture picture, const RenderLimits& limits = {});

}  // namespace weir::profiler
