// The snapshots that the process keeps of itself, and what changed between two of them.
#pragma once

#include "routes.h"

namespace weir::http::routes {

// GET: the list, or with id=N one of them; POST: looks now and keeps it.
Answer snapshots(const Query& q);
Cost snapshots_cost(const Query& q);
// GET: between two of them; POST: from the dump that is sent to one of them.
Answer difference(const Query& q);
Cost difference_cost(const Query& q);

}  // namespace weir::http::routes
