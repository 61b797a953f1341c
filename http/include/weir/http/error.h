// What weir::http throws.
#pragma once

#include <stdexcept>

namespace weir::http {

// A sentence that the user can act on: what failed, for which address, why.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace weir::http
