// What the debug endpoint answers, apart from how it is transported: one function per path. Knows
// nothing of sockets or of the HTTP library.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/profiler/encode.h>

namespace weir::http {

// A request, reduced to what routes look at. Untrusted.
struct Query {
  std::string path;
  std::function<std::string(const std::string&)> param;  // "" where it is not given
  std::string data = {};                                 // the body of a POST; else as `behind`
  bool post = false;                                     // asked by POST
  std::string if_none_match = {};                        // the field: what the client has already
  std::string behind = {};                               // what stands behind the "?", as it is
};

struct Answer {
  int status = 200;
  std::string content_type;
  std::string body;                                  // when `write` is empty
  std::function<bool(const profiler::Sink&)> write;  // streams the body in bounded pieces
  // What takes seconds, before `write`: on the connection's thread, once the head of the answer has
  // been sent. To be given up when `wanted` (the client is still there) says no.
  std::function<void(const std::function<bool()>& wanted)> wait;
  // In place of `write`: streams for as long as there is something to tell and it is wanted. Asks
  // `wanted` several times a second.
  std::function<void(const profiler::Sink&, const std::function<bool()>& wanted)> follow;
  std::string attachment;    // file name for Content-Disposition; empty: none
  bool pprof_error = false;  // Go's mark of errors that its pprof shows
  bool gzipped = false;      // `body` is; unpacked for who cannot do that
  std::vector<std::pair<std::string, std::string>> headers{};  // more fields
};

// What an answer costs, so that the server can admit few of a kind at once.
enum class Cost : uint8_t {
  cheap,
  capture,  // looks at all goroutines, or names many functions
  picture,  // has Graphviz draw, too
  slow,     // waits for seconds
  stream,   // goes on for as long as the client reads
};
Cost cost(const Query& query);
// Whether the path is asked by POST, too.
bool takes_post(std::string_view path) noexcept;
// Whether the body of such a POST is a dump of goroutines, which may be large.
bool takes_dump(std::string_view path) noexcept;
// Whether the path is for everybody: nothing of the process is told there.
bool is_public(std::string_view path) noexcept;
std::vector<std::string> paths();  // that answer() knows
// Never throws for what a request may hold; std::bad_alloc may pass.
Answer answer(const Query& query);

}  // namespace weir::http
