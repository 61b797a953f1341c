// The answers under /debug/pprof/ as Go gives them; the goroutine profile: goroutine_routes.h.
#pragma once

#include <functional>

#include <weir/profiler/profile.h>

#include "routes.h"

namespace weir::http::routes {

// debug=1 is text, seconds=N the difference over that time.
Answer block(const Query& q);
Answer mutex(const Query& q);
Answer threadcreate(const Query& q);
Answer creation(const Query& q);
// The answer of such a path: what `take` gives, or how it has changed from now on.
Answer profile(const char* name, const Query& q, std::function<profiler::Profile()> take);

Answer cpu(const Query& q);      // seconds=N, 30 unless told otherwise
Answer cmdline(const Query& q);  // arguments, separated by NUL
Answer symbol(const Query& q);   // 0xPC+0xPC..., as pprof asks

}  // namespace weir::http::routes
