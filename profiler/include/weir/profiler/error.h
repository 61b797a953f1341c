// What weir::profiler throws.
#pragma once

#include <stdexcept>

namespace weir::profiler {

// A sentence that the user can act on: which input, what is wrong with it.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace weir::profiler
