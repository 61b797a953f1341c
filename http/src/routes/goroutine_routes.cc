#include "goroutine_routes.h"

#include <memory>
#include <string>
#include <utility>

#include <weir/go.h>
#include <weir/profiler/capture.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/filter.h>
#include <weir/profiler/groups.h>
#include <weir/profiler/profile.h>
#include <weir/profiler/snapshot.h>

#include "answers.h"
#include "filter_params.h"
#include "params.h"
#include "profile_routes.h"

namespace weir::http::routes {

namespace {

using profiler::Detail;

// An empty page would leave open whether the question was understood.
Answer nobody(uint64_t left_out) {
  return text(200, "no goroutine passes the filter: " + std::to_string(left_out) +
                       (left_out == 1 ? " is left out\n" : " are left out\n"));
}

// With more goroutines than these, what each waits for is not looked at (300 bytes for each).
constexpr size_t kMostWithObjects = 200'000;

// A few goroutines out of all: of a group (`group`), or one and its relations (`goid`).
Answer picked(const Query& q) {
  constexpr size_t kMost = 1000;
  const auto limit = number<size_t>(q, "limit", 100, kMost, "a number from 0 to 1000");
  std::shared_ptr<const profiler::Snapshot> s;
  if (!q.param("group").empty()) {
    const uint64_t id = hexadecimal(q, "group");
    s = std::make_shared<profiler::Snapshot>(
        profiler::pick_group(profiler::capture({.detail = Detail::members}), id, limit));
  } else {
    const auto goid =
        number<uint64_t>(q, "goid", 0, UINT64_MAX, "the number of a goroutine, as dumps show it");
    const Detail detail =
        weir::num_goroutine() > kMostWithObjects ? Detail::members : Detail::objects;
    s = std::make_shared<profiler::Snapshot>(
        profiler::pick_goroutine(profiler::capture({.detail = detail}), goid, limit));
  }
  if (s->groups.empty()) return text(404, "no such goroutine lives (any more)\n");
  Answer a;
  a.content_type = "application/json";
  a.write = [s](const profiler::Sink& sink) { return profiler::write_json(*s, sink); };
  return a;
}

}  // namespace

Answer goroutines(const Query& q) {
  profiler::Filter filter = filter_of(q);
  const std::string format = q.param("format");
  if (!format.empty() && format != "json" && format != "groups") {
    throw BadParameter{"format", "json, groups, or nothing"};
  }
  if (!q.param("seconds").empty()) {
    if (!format.empty()) return pprof_failure(400, "seconds and format params are incompatible");
    return profile("goroutine", q, [filter = std::move(filter)] {
      return profiler::goroutine_profile(captured(Detail::groups, filter));
    });
  }
  Answer a;
  const auto encode = [&](Detail detail,
                          bool (*writer)(const profiler::Snapshot&, const profiler::Sink&)) {
    auto snapshot = std::make_shared<const profiler::Snapshot>(captured(detail, filter));
    a.write = [snapshot, writer](const profiler::Sink& sink) { return writer(*snapshot, sink); };
    return snapshot;
  };
  if (format == "groups") {
    a.content_type = "application/json";
    encode(Detail::groups, profiler::write_groups_json);
    return a;
  }
  if (format == "json" && (!q.param("group").empty() || !q.param("goid").empty())) return picked(q);
  if (format == "json") {
    a.content_type = "application/json";
    encode(Detail::objects, profiler::write_json);
    return a;
  }
  const int64_t debug = parse_int(q.param("debug")).value_or(0);
  if (debug == 0 || debug == 3) {
    a.content_type = "application/octet-stream";
    a.attachment = "goroutine";
    debug == 0 ? encode(Detail::groups, profiler::write_pprof)
               : encode(Detail::members, profiler::write_pprof3);
  } else if (debug == 1) {
    a.content_type = kText;
    encode(Detail::groups, profiler::write_debug1);
  } else {
    a.content_type = kText;
    const auto snapshot = encode(Detail::members, profiler::write_debug2);
    if (snapshot->groups.empty() && snapshot->left_out > 0) return nobody(snapshot->left_out);
  }
  return a;
}

}  // namespace weir::http::routes
