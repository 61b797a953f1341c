// The scheduler in numbers.
#pragma once

#include "routes.h"

namespace weir::http::routes {

// format=text|json
Answer sched(const Query& q);

}  // namespace weir::http::routes
