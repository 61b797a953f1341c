// What a misuse of a channel throws. Go: a run-time panic that can be recovered.
#pragma once

#include <stdexcept>

namespace weir {

// Thrown where Go panics recoverably: send on a closed channel, close of a nil or closed channel, a
// channel capacity out of range. what() is Go's text without the "panic: " prefix. Misuse that Go
// treats as fatal (unlock of an unlocked mutex, ...) does not throw: the process dies with a dump.
class panic_error : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

}  // namespace weir
