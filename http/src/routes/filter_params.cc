#include "filter_params.h"

#include <algorithm>

#include "params.h"

namespace weir::http {

profiler::Filter filter_of(const Query& q) {
  return profiler::parse_filter({.query = q.param("q"),
                                 .states = q.param("state"),
                                 .labels = repeated(q, "label"),
                                 .packages = repeated(q, "package"),
                                 .age = q.param("age"),
                                 .site = q.param("site")});
}

profiler::Snapshot captured(profiler::Detail detail, const profiler::Filter& filter) {
  // Names are looked at, and those of one group may differ.
  if (!filter.query.empty()) detail = std::max(detail, profiler::Detail::members);
  return profiler::filter(profiler::capture({.detail = detail}), filter);
}

}  // namespace weir::http
