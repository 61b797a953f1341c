#include <weir/detail/resource.h>

#include <atomic>

#include "runtime2.h"
#include "tls.h"

namespace weir::detail {

// The goroutine alone writes it, and others look at it only while the goroutine cannot run; the
// fences are for the signal handler that looks at a plain thread.

waiting_for::waiting_for(const http_body& body) noexcept {
  rt::G* gp = rt::getg();
  std::atomic_signal_fence(std::memory_order_release);
  gp->waits_for = &body;
}

waiting_for::~waiting_for() {
  rt::getg()->waits_for = nullptr;
  std::atomic_signal_fence(std::memory_order_release);
}

}  // namespace weir::detail
