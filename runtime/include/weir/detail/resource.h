// What a goroutine waits for in truth, where the channel that it blocks on is only the means: a
// library says so, and dumps show it as the wait's object.
#pragma once

#include <cstddef>

#include <weir/introspect.h>

namespace weir::detail {

// The body of an HTTP response. Written before anybody waits for it, and not changed afterwards;
// must outlive the waits.
struct http_body {
  const void* made_pc = nullptr;  // where the request was made
  int status = 0;
  char method[introspect::kMaxMethod + 1] = {};
  char url[introspect::kMaxUrl + 1] = {};
};

// While one lives, the calling goroutine's waits on channels are for `body`. Not nested.
class waiting_for {
 public:
  explicit waiting_for(const http_body& body) noexcept;
  ~waiting_for();
  waiting_for(const waiting_for&) = delete;
  waiting_for& operator=(const waiting_for&) = delete;
};

}  // namespace weir::detail
