// The time as HTTP writes it: "Sun, 06 Nov 1994 08:49:37 GMT".
#pragma once

#include <string_view>

namespace weir::http {

// Of now. Valid until the calling goroutine can block: it is kept per OS thread, since it changes
// once a second only.
std::string_view date_now() noexcept;

}  // namespace weir::http
