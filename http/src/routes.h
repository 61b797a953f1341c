// What the debug endpoint answers, apart from how it is transported: one function per path. Knows
// nothing of sockets or of the HTTP library.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <weir/profiler/encode.h>

namespace weir::http {

// A request, reduced to what routes look at. Untrusted.
struct Query {
  std::string path;
  std::function<std::string(const std::string&)> param;  // "" where it is not given
};

struct Answer {
  int status = 200;
  std::string content_type;
  std::string body;                                  // when `write` is empty
  std::function<bool(const profiler::Sink&)> write;  // streams the body in bounded pieces
  std::string attachment;  // file name for Content-Disposition; empty: none
};

// Routes that capture are expensive: the server admits few of them at once.
bool is_expensive(std::string_view path) noexcept;
// Never throws for what a request may hold; std::bad_alloc may pass.
Answer answer(const Query& query);

}  // namespace weir::http
