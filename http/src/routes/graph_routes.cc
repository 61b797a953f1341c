#include "graph_routes.h"

#include <string>
#include <utility>

#include <weir/profiler/call_graph.h>
#include <weir/profiler/capture.h>
#include <weir/profiler/draw.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/error.h>
#include <weir/profiler/filter.h>
#include <weir/profiler/wait_graph.h>

#include "answers.h"
#include "filter_params.h"
#include "params.h"

namespace weir::http::routes {

namespace {

template <class Graph>
Answer draw(Graph g, const std::string& format) {
  Answer a;
  if (format == "json") {
    a.content_type = "application/json";
    a.write = [g = std::move(g)](const profiler::Sink& sink) {
      return profiler::write_json(g, sink);
    };
  } else if (format == "dot") {
    a.content_type = "text/vnd.graphviz; charset=utf-8";
    a.body = profiler::dot(g);
  } else {
    const bool is_png = format == "png";
    a.content_type = is_png ? "image/png" : "image/svg+xml";
    try {
      a.body = profiler::render(profiler::dot(g),
                                is_png ? profiler::Picture::png : profiler::Picture::svg);
    } catch (const profiler::error& e) {
      return text(503, std::string(e.what()) + "\n");
    }
  }
  return a;
}

}  // namespace

Answer picture(profiler::CallGraph g, const std::string& format) {
  return draw(std::move(g), format);
}

Answer graph(const Query& q) {
  constexpr size_t kMaxNodes = 1000;
  constexpr const char* kNodes = "a number from 1 to 1000";
  constexpr const char* kFraction = "a number from 0 to 1";
  const std::string kind = choice(q, "kind", {"calls", "waits"});
  // Text is the wait graph's alone: what it would be of calls is debug=1.
  const std::string format = kind == "waits"
                                 ? choice(q, "format", {"svg", "png", "dot", "json", "text"})
                                 : choice(q, "format", {"svg", "png", "dot", "json"});
  profiler::Filter filter = filter_of(q);
  const size_t nodecount = number<size_t>(q, "nodecount", 80, kMaxNodes, kNodes);
  if (nodecount == 0) throw BadParameter{"nodecount", kNodes};
  if (kind == "waits") {
    const profiler::WaitGraphOptions options{q.param("focus"), q.param("ignore"), nodecount};
    filter.owners = true;
    profiler::wait_graph({}, options);  // throws where an expression is none
    profiler::WaitGraph g =
        profiler::wait_graph(captured(profiler::Detail::objects, filter), options);
    if (format != "text") return draw(std::move(g), format);
    Answer a;
    a.content_type = kText;
    a.write = [g = std::move(g)](const profiler::Sink& sink) {
      return profiler::write_text(g, sink);
    };
    return a;
  }
  profiler::CallGraphOptions options;
  options.focus = q.param("focus");
  options.ignore = q.param("ignore");
  options.hide = q.param("hide");
  options.show = q.param("show");
  const std::string granularity = choice(q, "granularity", {"functions", "lines", "addresses"});
  options.granularity = granularity == "lines"       ? profiler::Granularity::lines
                        : granularity == "addresses" ? profiler::Granularity::addresses
                                                     : profiler::Granularity::functions;
  options.nodecount = nodecount;
  options.nodefraction = number<double>(q, "nodefraction", options.nodefraction, 1, kFraction);
  options.edgefraction = number<double>(q, "edgefraction", options.edgefraction, 1, kFraction);
  options.tags = choice(q, "tags", {"1", "0"}) == "1";
  profiler::call_graph({}, options);
  const profiler::Snapshot s = captured(profiler::Detail::groups, filter);
  return draw(profiler::call_graph(s, options), format);
}

}  // namespace weir::http::routes
