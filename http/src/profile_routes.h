// The answers under /debug/pprof/ other than the goroutine profile's, as Go gives them.
#pragma once

#include "routes.h"

namespace weir::http::routes {

// debug=1 is text, seconds=N the difference over that time.
Answer block(const Query& q);
Answer mutex(const Query& q);
Answer threadcreate(const Query& q);
Answer creation(const Query& q);
bool has_delta(Answer (*route)(const Query&)) noexcept;

Answer cpu(const Query& q);      // seconds=N, 30 unless told otherwise
Answer cmdline(const Query& q);  // arguments, separated by NUL
Answer symbol(const Query& q);   // 0xPC+0xPC..., as pprof asks

}  // namespace weir::http::routes
