// What the observer has found: who leaks, and how the numbers of goroutines went.
#pragma once

#include "routes.h"

namespace weir::http::routes {

// Of its last look; without an observer, of one look now.
Answer leaks(const Query& q);
Cost leaks_cost(const Query& q);
Answer trend(const Query& q);
// A stream of events (SSE), for as long as the client reads.
Answer events(const Query& q);

}  // namespace weir::http::routes
