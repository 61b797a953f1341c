// Pictures: who calls whom, who waits for whom.
#pragma once

#include <string>

#include <weir/profiler/call_graph.h>

#include "routes.h"

namespace weir::http::routes {

// kind=calls|waits, format=svg|png|dot|json (waits also text), pprof's options; the filter of
// filter_params.h.
Answer graph(const Query& q);
// format: svg, png, dot or json.
Answer picture(profiler::CallGraph g, const std::string& format);

}  // namespace weir::http::routes
