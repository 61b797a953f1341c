// The goroutine profile in its formats.
#pragma once

#include "routes.h"

namespace weir::http::routes {

// debug=0, 1, 2, 3, format=json; the filter of filter_params.h; seconds=N: the difference over that
// time.
Answer goroutines(const Query& q);

}  // namespace weir::http::routes
