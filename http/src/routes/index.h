// The page that lists the endpoints.
#pragma once

#include "routes.h"

namespace weir::http::routes {

Answer index(const Query& q);

}  // namespace weir::http::routes
