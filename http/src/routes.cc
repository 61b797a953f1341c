// The endpoint's answers (routes.h).

#include "routes.h"

#include <charconv>
#include <cmath>
#include <memory>
#include <utility>

#include <weir/go.h>
#include <weir/profiler/call_graph.h>
#include <weir/profiler/capture.h>
#include <weir/profiler/draw.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/error.h>
#include <weir/profiler/snapshot.h>
#include <weir/profiler/wait_graph.h>

#include "profile_routes.h"

namespace weir::http {

namespace {

constexpr const char* kText = "text/plain; charset=utf-8";

// Go's strconv.Atoi with errors read as 0.
int atoi_or_zero(const std::string& text) noexcept {
  int value = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (begin != end && *begin == '+') begin++;
  auto [at, err] = std::from_chars(begin, end, value);
  return err == std::errc() && at == end ? value : 0;
}

Answer text(int status, std::string body) {
  Answer a;
  a.status = status;
  a.content_type = kText;
  a.body = std::move(body);
  return a;
}

Answer goroutines(const Query& q) {
  using profiler::Detail;
  if (!q.param("seconds").empty()) {
    Answer refusal = text(400,
                          "\"seconds\" is not supported here: ask twice, and see the difference "
                          "with pprof -diff_base\n");
    refusal.pprof_error = true;
    return refusal;
  }
  Answer a;
  auto encode = [&a](Detail detail,
                     bool (*writer)(const profiler::Snapshot&, const profiler::Sink&)) {
    auto snapshot =
        std::make_shared<const profiler::Snapshot>(profiler::capture({.detail = detail}));
    a.write = [snapshot, writer](const profiler::Sink& sink) { return writer(*snapshot, sink); };
  };
  std::string format = q.param("format");
  if (format == "json") {
    a.content_type = "application/json";
    encode(Detail::objects, profiler::write_json);
    return a;
  }
  if (!format.empty()) return text(400, "invalid value for \"format\": the only one is json\n");
  int debug = atoi_or_zero(q.param("debug"));
  if (debug == 0 || debug == 3) {
    a.content_type = "application/octet-stream";
    a.attachment = "goroutine";
    debug == 0 ? encode(Detail::groups, profiler::write_pprof)
               : encode(Detail::members, profiler::write_pprof3);
  } else {
    a.content_type = kText;
    debug == 1 ? encode(Detail::groups, profiler::write_debug1)
               : encode(Detail::members, profiler::write_debug2);
  }
  return a;
}

// A parameter that is not what it should be: what to answer.
struct BadParameter {
  std::string name, expected;
};

// A number of a parameter within bounds; `otherwise` where it is not given.
template <class T>
T number(const Query& q, const char* name, T otherwise, T most, const char* expected) {
  const std::string value = q.param(name);
  if (value.empty()) return otherwise;
  T n{};
  const char* const end = value.data() + value.size();
  const auto [at, err] = std::from_chars(value.data(), end, n);
  if (err != std::errc() || at != end || !(n >= T{}) || !(n <= most)) {
    throw BadParameter{name, expected};
  }
  return n;
}

// The parameter's value, one of those given; the first where it is not given.
std::string choice(const Query& q, const char* name, std::initializer_list<const char*> all) {
  const std::string value = q.param(name);
  if (value.empty()) return *all.begin();
  std::string expected;
  for (const char* const one : all) {
    if (value == one) return value;
    expected.append(expected.empty() ? "one of " : ", ").append(one);
  }
  throw BadParameter{name, expected};
}

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

Answer graph(const Query& q) {
  constexpr size_t kMaxNodes = 1000;
  constexpr const char* kNodes = "a number from 1 to 1000";
  constexpr const char* kFraction = "a number from 0 to 1";
  try {
    const std::string kind = choice(q, "kind", {"calls", "waits"});
    // Text is the wait graph's alone: what it would be of calls is debug=1.
    const std::string format = kind == "waits"
                                   ? choice(q, "format", {"svg", "png", "dot", "json", "text"})
                                   : choice(q, "format", {"svg", "png", "dot", "json"});
    const size_t nodecount = number<size_t>(q, "nodecount", 80, kMaxNodes, kNodes);
    if (nodecount == 0) throw BadParameter{"nodecount", kNodes};
    if (kind == "waits") {
      const profiler::WaitGraphOptions options{q.param("focus"), q.param("ignore"), nodecount};
      profiler::wait_graph({}, options);  // throws where an expression is none
      profiler::WaitGraph g = profiler::wait_graph(profiler::capture(), options);
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
    const profiler::Snapshot s = profiler::capture({.detail = profiler::Detail::groups});
    return draw(profiler::call_graph(s, options), format);
  } catch (const BadParameter& bad) {
    return text(400, "invalid value for \"" + bad.name + "\": expected " + bad.expected + "\n");
  } catch (const profiler::error& e) {  // a regular expression that is none
    return text(400, std::string(e.what()) + "\n");
  }
}

Answer index(const Query&) {
  Answer a;
  a.content_type = "text/html; charset=utf-8";
  a.body =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>/debug/</title>\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
      "body { font: 15px/1.5 system-ui, sans-serif; max-width: 46em; margin: 2em auto; padding: 0 "
      "1em; }\n"
      "td { padding: .15em 1em .15em 0; vertical-align: top; }\n"
      "td:first-child { white-space: nowrap; font-family: ui-monospace, monospace; }\n"
      "</style>\n</head>\n<body>\n<h1>weir</h1>\n<p>" +
      std::to_string(weir::num_goroutine()) +
      " goroutines</p>\n<table>\n"
      "<tr><td><a href=\"/debug/goroutine?debug=1\">goroutine?debug=1</a></td>"
      "<td>goroutines grouped by stack, with counts</td></tr>\n"
      "<tr><td><a href=\"/debug/goroutine?debug=2\">goroutine?debug=2</a></td>"
      "<td>full goroutine stack dump: every goroutine, what it waits for, who created "
      "it</td></tr>\n"
      "<tr><td><a href=\"/debug/goroutine?format=json\">goroutine?format=json</a></td>"
      "<td>the same as JSON, with channels, locks and wait groups</td></tr>\n"
      "<tr><td><a href=\"/debug/pprof/goroutine\">pprof/goroutine</a></td>"
      "<td>profile for <code>go tool pprof http://HOST/debug/pprof/goroutine</code></td></tr>\n"
      "<tr><td><a href=\"/debug/pprof/goroutine?debug=3\">pprof/goroutine?debug=3</a></td>"
      "<td>the same with a sample for each goroutine: id, state, time, stack bytes</td></tr>\n"
      "<tr><td><a href=\"/debug/pprof/creation?debug=1\">pprof/creation?debug=1</a></td>"
      "<td>goroutines by the stack that created them</td></tr>\n"
      "<tr><td><a href=\"/debug/pprof/block?debug=1\">pprof/block?debug=1</a></td>"
      "<td>where goroutines were kept waiting; off until "
      "<code>weir::set_block_profile_rate</code></td></tr>\n"
      "<tr><td><a href=\"/debug/pprof/mutex?debug=1\">pprof/mutex?debug=1</a></td>"
      "<td>who kept others waiting for locks; off until "
      "<code>weir::set_mutex_profile_fraction</code></td></tr>\n"
      "<tr><td><a href=\"/debug/pprof/profile?seconds=1\">pprof/profile?seconds=1</a></td>"
      "<td>CPU profile (30 seconds unless told otherwise)</td></tr>\n"
      "<tr><td><a href=\"/debug/pprof/threadcreate?debug=1\">pprof/threadcreate?debug=1</a></td>"
      "<td>OS threads of the scheduler</td></tr>\n"
      "<tr><td><a href=\"/debug/pprof/cmdline\">pprof/cmdline</a></td>"
      "<td>the command line, its arguments separated by NUL</td></tr>\n"
      "<tr><td><a href=\"/debug/pprof/symbol\">pprof/symbol</a></td>"
      "<td>names of functions by address, for pprof</td></tr>\n"
      "<tr><td><a href=\"/debug/graph?kind=calls\">graph?kind=calls</a></td>"
      "<td>who calls whom on the way to where goroutines are; also format=png, dot, json; focus, "
      "ignore, hide, show, nodecount, nodefraction, edgefraction, granularity as "
      "pprof's</td></tr>\n"
      "<tr><td><a href=\"/debug/graph?kind=waits\">graph?kind=waits</a></td>"
      "<td>who waits for what, and who has it; deadlocks in red; "
      "<a href=\"/debug/graph?kind=waits&amp;format=text\">the same in words</a></td></tr>\n"
      "<tr><td><a href=\"/healthz\">/healthz</a></td><td>answers ok while this server "
      "lives</td></tr>\n"
      "</table>\n</body>\n</html>\n";
  return a;
}

Answer health(const Query&) { return text(200, "ok\n"); }

struct Route {
  const char* path;
  Cost cost;
  Answer (*answer)(const Query&);
};
constexpr Route kRoutes[] = {
    {"/debug/", Cost::cheap, index},
    {"/debug/graph", Cost::picture, graph},
    {"/debug/pprof/", Cost::cheap, index},
    {"/debug/goroutine", Cost::capture, goroutines},
    {"/debug/pprof/goroutine", Cost::capture, goroutines},
    {"/debug/pprof/block", Cost::capture, routes::block},
    {"/debug/pprof/cmdline", Cost::cheap, routes::cmdline},
    {"/debug/pprof/creation", Cost::capture, routes::creation},
    {"/debug/pprof/mutex", Cost::capture, routes::mutex},
    {"/debug/pprof/profile", Cost::slow, routes::cpu},
    {"/debug/pprof/symbol", Cost::capture, routes::symbol},
    {"/debug/pprof/threadcreate", Cost::cheap, routes::threadcreate},
    {"/healthz", Cost::cheap, health},
};

const Route* find(std::string_view path) noexcept {
  for (const Route& r : kRoutes) {
    if (path == r.path) return &r;
  }
  return nullptr;
}

}  // namespace

Cost cost(const Query& query) {
  const Route* r = find(query.path);
  if (!r) return Cost::cheap;
  return routes::has_delta(r->answer) && !query.param("seconds").empty() ? Cost::slow : r->cost;
}

bool takes_post(std::string_view path) noexcept { return path == "/debug/pprof/symbol"; }

std::vector<std::string> paths() {
  std::vector<std::string> all;
  for (const Route& r : kRoutes) all.emplace_back(r.path);
  return all;
}

Answer answer(const Query& query) {
  if (const Route* r = find(query.path)) return r->answer(query);
  if (query.path.starts_with("/debug/pprof/")) return text(404, "Unknown profile\n");
  return text(404, "404 page not found: /debug/ lists what there is\n");
}

}  // namespace weir::http
