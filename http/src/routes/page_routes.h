// /debug/ui/: the page. Its files are the same for every process and tell nothing of this one: they
// are there without a token, which the page asks for itself and sends with what it asks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "routes.h"

namespace weir::http::routes {

bool is_page(std::string_view path) noexcept;
std::vector<std::string> page_paths();
Answer page(const Query& q);

}  // namespace weir::http::routes
