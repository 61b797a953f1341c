// spin_lock's slow paths.

#include <weir/detail/sema.h>

#include "futex.h"

namespace weir::rt {

void spin_lock::lock_slow() noexcept {
  // The sections are nanoseconds long, so a short spin mostly wins; a holder that the kernel
  // descheduled needs the processor more than we do.
  for (int i = 0; i < 100; i++) {
    if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) return;
    cpu_pause();
  }
  while (word_.exchange(2, std::memory_order_acquire) != 0) futex_wait(&word_, 2);
}

void spin_lock::unlock_slow() noexcept { futex_wake(&word_); }

}  // namespace weir::rt
