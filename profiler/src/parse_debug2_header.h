// The first line of a goroutine in debug=2:
//
//   goroutine 18 gp=0xc0000061c0 m=nil [chan receive (leaked), 5 minutes, locked to thread]:
//   goroutine 18 [select, labels:{name: worker}]:             ours, and a draft of Go's
//   goroutine 18 [select] {name: worker}:                     Go 1.27
#pragma once

#include <cstdint>
#include <string_view>

#include <weir/profiler/snapshot.h>

namespace weir::profiler::parsing {

// Views are into the line.
struct Header {
  uint64_t goid = 0;
  std::string_view status;      // with its marks
  std::string_view labels;      // with their braces; empty: none
  std::string_view connection;  // "read tcp 127.0.0.1:80->.."
  bool has_body = false;        // it waits for that of a response:
  struct {
    std::string_view method, url;
    int status = 0;
  } body;
  int64_t since_ns = -1;  // -1: not told
  uint64_t count = 0;     // 0: one goroutine; else so many, without ids
  bool has_minutes = false;
  bool locked = false;
  bool has_inner_labels = false;  // within the brackets
};

// The whole line is one.
bool parse_header(std::string_view line, Header& to);

// Sets state, wait reason and mark of a group.
void set_status(const Header& h, Group& g);

}  // namespace weir::profiler::parsing
