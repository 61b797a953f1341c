// The numbers for Prometheus.
#pragma once

#include "routes.h"

namespace weir::http::routes {

Answer metrics(const Query& q);

}  // namespace weir::http::routes
