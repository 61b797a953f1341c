#include "filter_params.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "params.h"

namespace weir::http {

profiler::Filter filter_of(const Query& q) {
  const std::vector<std::string> labels = repeated(q, "label");
  return profiler::parse_filter(q.param("q"), q.param("state"), labels);
}

profiler::Snapshot captured(profiler::Detail detail, const profiler::Filter& filter) {
  // Names are looked at, and those of one group may differ.
  if (!filter.query.empty()) detail = std::max(detail, profiler::Detail::members);
  return profiler::filter(profiler::capture({.detail = detail}), filter);
}

}  // namespace weir::http
