// The answers that routes have in common.
#pragma once

#include <string>
#include <utility>

#include "routes.h"

namespace weir::http {

inline constexpr const char* kText = "text/plain; charset=utf-8";

inline Answer text(int status, std::string body) {
  Answer a;
  a.status = status;
  a.content_type = kText;
  a.body = std::move(body);
  return a;
}

// Go's serveError, for the paths that its pprof asks.
inline Answer pprof_failure(int status, std::string why) {
  Answer a = text(status, std::move(why) + "\n");
  a.pprof_error = true;
  return a;
}

}  // namespace weir::http
