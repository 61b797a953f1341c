// Failure: what the command could not do, and why. main turns it into one line on stderr,
// `weir: <what>: <why>`, and exit status 2.
#pragma once

#include <stdexcept>
#include <string>

namespace weir::tools {

class Failure : public std::runtime_error {
 public:
  // what: the offending input, as the user named it; why: what is wrong with it, and what to do.
  Failure(const std::string& what, const std::string& why)
      : std::runtime_error(what + ": " + why) {}
};

}  // namespace weir::tools
