#include "goroutine_routes.h"

#include <memory>
#include <string>
#include <utility>

#include <weir/profiler/capture.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/filter.h>
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

}  // namespace

Answer goroutines(const Query& q) {
  profiler::Filter filter = filter_of(q);
  const std::string format = q.param("format");
  if (!format.empty() && format != "json") throw BadParameter{"format", "json, or nothing"};
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
