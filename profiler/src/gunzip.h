// gzip -> bytes, within a bound.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::profiler::parsing {

bool is_gzip(std::string_view bytes);

struct Unzipped {
  std::string bytes;
  bool truncated = false;  // the input ended before its time; bytes are what there was
};

// Members that follow each other are joined, as gunzip does. Throws ParseError when there are more
// than max_bytes, or the data are damaged.
Unzipped gunzip(std::string_view bytes, size_t max_bytes);

}  // namespace weir::profiler::parsing
