// Who uses a descriptor, and when it may be closed. Go's internal/poll.fdMutex.
//
// One 64-bit state: closed, read lock, write lock, the number of operations under way, and how many
// wait for each lock. An operation that reads holds the read lock, one that writes the write lock,
// others a reference only. After `close` no operation begins, those that wait for a lock give up,
// and the one that leaves last is told so: it alone closes the descriptor. So the number cannot
// name another file while somebody uses it.
#pragma once

#include <weir/detail/sema.h>

#include <atomic>
#include <cstdint>

namespace weir::net {

class fd_mutex {
 public:
  enum class side : uint8_t { read, write };

  // A reference, without a lock. False: closed.
  bool incref() noexcept;
  // True: it was the last one after close, so the caller closes the descriptor.
  bool decref() noexcept;
  // The first one to close gets a reference; false: closed already.
  bool close();
  // A reference and the lock of a side; blocks ("semacquire") while another operation has it.
  // False: closed.
  bool lock(side s);
  // As decref.
  bool unlock(side s);

 private:
  std::atomic<uint64_t> state_{0};
  rt::sema sema_[2];
};

}  // namespace weir::net
