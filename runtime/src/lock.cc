// spin_lock's slow path.

#include <weir/detail/sema.h>

#include "backoff.h"

namespace weir::rt {

void spin_lock::lock_slow() noexcept {
  for (backoff wait;; wait.pause()) {
    if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) return;
  }
}

}  // namespace weir::rt
