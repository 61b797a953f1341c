#include "snapshot_routes.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <weir/profiler/call_graph.h>
#include <weir/profiler/diff.h>
#include <weir/profiler/draw.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/error.h>
#include <weir/profiler/groups.h>

#include "answers.h"
#include "graph_routes.h"
#include "observe/observe_json.h"
#include "observe/observer.h"
#include "params.h"

namespace weir::http::routes {

namespace {

using observe::Kept;

constexpr const char* kId = "the id of a kept snapshot: /debug/snapshots lists them";

Answer nobody_keeps() {
  return text(404, "no snapshots are kept here: DebugOptions::observe is 0\n");
}

std::optional<uint64_t> id_of(const Query& q, const char* name) {
  const std::string value = q.param(name);
  if (value.empty()) return std::nullopt;
  return number<uint64_t>(q, name, 0, UINT64_MAX, kId);
}

// The kept one that a parameter names; `otherwise` where it is not given.
Kept named(const observe::Observer& observer, const Query& q, const char* name,
           const Kept& otherwise) {
  const auto id = id_of(q, name);
  if (!id) return otherwise;
  if (auto kept = observer.snapshot(*id)) return *std::move(kept);
  throw BadParameter{name, kId};
}

Answer one(const Kept& k, bool groups) {
  Answer a;
  a.content_type = "application/json";
  a.write = [snapshot = k.snapshot, groups](const profiler::Sink& sink) {
    return groups ? profiler::write_groups_json(*snapshot, sink)
                  : profiler::write_json(*snapshot, sink);
  };
  return a;
}

}  // namespace

Cost snapshots_cost(const Query& q) {
  return q.post || !q.param("id").empty() ? Cost::capture : Cost::cheap;
}

Answer snapshots(const Query& q) {
  const auto observer = observe::current();
  if (!observer) return nobody_keeps();
  Answer a;
  a.content_type = "application/json";
  if (q.post) {
    const uint64_t id = observer->look();
    const auto kept = observer->snapshot(id);
    a.status = 201;
    a.body = kept ? observe::snapshot_json(*kept) : "{}";
    return a;
  }
  observer->latest();
  const bool groups = choice(q, "format", {"json", "groups"}) == "groups";
  if (const auto id = id_of(q, "id")) {
    const auto kept = observer->snapshot(*id);
    return kept ? one(*kept, groups) : text(404, "no such snapshot is kept (any more)\n");
  }
  a.body = observe::snapshots_json(observer->snapshots());
  return a;
}

Cost difference_cost(const Query& q) {
  const std::string format = q.param("format");
  return format == "svg" || format == "png" ? Cost::picture : Cost::capture;
}

Answer difference(const Query& q) {
  const std::string format = choice(q, "format", {"text", "json", "markdown", "dot", "svg", "png"});
  const auto observer = observe::current();
  if (!observer) return nobody_keeps();
  profiler::DiffOptions options;
  options.threshold = number<uint64_t>(q, "threshold", 1, UINT64_MAX, "a number of goroutines");
  options.labels = choice(q, "labels", {"0", "1"}) == "1";
  options.ignore = repeated(q, "ignore");
  options.same_process = true;
  observer->latest();
  const std::vector<Kept> all = observer->snapshots();
  const Kept base = named(*observer, q, "base", all.front());
  const Kept to = named(*observer, q, "to", all.back());
  if (format == "dot" || format == "svg" || format == "png") {
    return picture(profiler::call_graph_difference(*base.snapshot, *to.snapshot, {}), format);
  }
  auto d =
      std::make_shared<const profiler::Diff>(profiler::diff(*base.snapshot, *to.snapshot, options));
  Answer a;
  a.content_type = format == "json"       ? "application/json"
                   : format == "markdown" ? "text/markdown; charset=utf-8"
                                          : kText;
  a.write = [d, format](const profiler::Sink& sink) {
    return format == "json"       ? profiler::write_diff_json(*d, sink)
           : format == "markdown" ? profiler::write_diff_markdown(*d, sink)
                                  : profiler::write_diff_text(*d, sink);
  };
  return a;
}

}  // namespace weir::http::routes
