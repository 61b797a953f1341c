// Pictures: who calls whom, who waits for whom.
#pragma once

#include "routes.h"

namespace weir::http::routes {

// kind=calls|waits, format=svg|png|dot|json (waits also text), pprof's options; q, state, label.
Answer graph(const Query& q);

}  // namespace weir::http::routes
