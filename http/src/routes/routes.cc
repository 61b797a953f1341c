// The endpoint's answers (routes.h): which function has which path.
#include "routes.h"

#include <string>

#include <weir/profiler/error.h>

#include "answers.h"
#include "goroutine_routes.h"
#include "graph_routes.h"
#include "index.h"
#include "leak_routes.h"
#include "metrics_routes.h"
#include "page_routes.h"
#include "params.h"
#include "profile_routes.h"
#include "sched_routes.h"
#include "snapshot_routes.h"

namespace weir::http {

namespace {

Answer health(const Query&) { return text(200, "ok\n"); }

struct Route {
  const char* path;
  Cost cost;
  Answer (*answer)(const Query&);
  bool has_delta = false;                   // seconds=N waits so long
  Cost (*cost_of)(const Query&) = nullptr;  // where it depends
};
constexpr Route kRoutes[] = {
    {"/debug/", Cost::cheap, routes::index},
    {"/debug/goroutine", Cost::capture, routes::goroutines, true},
    {"/debug/diff", Cost::capture, routes::difference, false, routes::difference_cost},
    {"/debug/events", Cost::stream, routes::events},
    {"/debug/graph", Cost::picture, routes::graph},
    {"/debug/leaks", Cost::capture, routes::leaks, false, routes::leaks_cost},
    {"/debug/sched", Cost::cheap, routes::sched},
    {"/debug/snapshots", Cost::cheap, routes::snapshots, false, routes::snapshots_cost},
    {"/debug/trend", Cost::cheap, routes::trend},
    {"/debug/pprof/", Cost::cheap, routes::index},
    {"/debug/pprof/block", Cost::capture, routes::block, true},
    {"/debug/pprof/cmdline", Cost::cheap, routes::cmdline},
    {"/debug/pprof/creation", Cost::capture, routes::creation, true},
    {"/debug/pprof/goroutine", Cost::capture, routes::goroutines, true},
    {"/debug/pprof/mutex", Cost::capture, routes::mutex, true},
    {"/debug/pprof/profile", Cost::slow, routes::cpu},
    {"/debug/pprof/symbol", Cost::capture, routes::symbol},
    {"/debug/pprof/threadcreate", Cost::cheap, routes::threadcreate, true},
    {"/healthz", Cost::cheap, health},
    {"/metrics", Cost::cheap, routes::metrics},
};

const Route* find(std::string_view path) noexcept {
  for (const Route& r : kRoutes) {
    if (path == r.path) return &r;
  }
  return nullptr;
}

// Of a parameter, in Go's form where its tools show it.
Answer refusal(const Query& q, const std::string& why) {
  Answer a = text(400, why + "\n");
  a.pprof_error = q.path.starts_with("/debug/pprof/");
  return a;
}

}  // namespace

Cost cost(const Query& query) {
  const Route* r = find(query.path);
  if (!r) return Cost::cheap;
  if (r->cost_of) return r->cost_of(query);
  return r->has_delta && !query.param("seconds").empty() ? Cost::slow : r->cost;
}

bool takes_post(std::string_view path) noexcept {
  return path == "/debug/pprof/symbol" || path == "/debug/snapshots" || takes_dump(path);
}

bool takes_dump(std::string_view path) noexcept { return path == "/debug/diff"; }

bool is_public(std::string_view path) noexcept {
  // Health is asked by those who start and stop the program. The page asks for the token itself.
  return path == "/healthz" || routes::is_page(path);
}

std::vector<std::string> paths() {
  std::vector<std::string> all = routes::page_paths();
  for (const Route& r : kRoutes) all.emplace_back(r.path);
  return all;
}

Answer answer(const Query& query) {
  try {
    if (const Route* r = find(query.path)) return r->answer(query);
    if (routes::is_page(query.path)) return routes::page(query);
  } catch (const BadParameter& bad) {
    return refusal(query, "invalid value for \"" + bad.name + "\": expected " + bad.expected);
  } catch (const profiler::error& e) {  // of a parameter: what it should be
    return refusal(query, e.what());
  }
  if (query.path.starts_with("/debug/pprof/")) return text(404, "Unknown profile\n");
  return text(404, "404 page not found: /debug/ lists what there is\n");
}

}  // namespace weir::http
