// hchan: the channel itself, without its element type. Go's chan.go.
//
// Invariants:
//   at least one of sendq and recvq is empty, but for a goroutine that selects on both ends of one
//   channel; buffered: qcount > 0 implies that recvq is empty, qcount < dataqsiz that sendq is
//   empty.
// `lock` protects all fields but refs, and those fields of sudogs that wait here. While it is held:
// no park, no wake, no user code other than the elements' nothrow moves.
#pragma once

#include <weir/chan.h>
#include <weir/detail/sema.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime2.h"
#include "waitq.h"

namespace weir::rt {

struct chan_timer;

struct hchan {
  spin_lock lock;
  std::atomic<uint32_t> refs{1};  // handles
  const elemtype* type;
  size_t dataqsiz;              // capacity
  unsigned char* buf;           // dataqsiz elements
  size_t sendx = 0, recvx = 0;  // where the next one goes in, comes out
  waitq recvq, sendq;
  // Written under the lock, read by anybody.
  std::atomic<size_t> qcount{0};
  std::atomic<bool> closed{false};
  std::atomic<uint64_t> sends{0}, recvs{0};  // completed in its lifetime
  const void* made_pc;
  chan_timer* timer = nullptr;  // that sends here, and that this is a part of (chan_timer.h)

  unsigned char* slot(size_t i) const noexcept { return buf + i * type->size; }
  void advance(size_t& x) noexcept {
    if (++x == dataqsiz) x = 0;
  }
};

// The ready half of an operation, under the lock. Done: true, and *wake is the goroutine to make
// ready after unlocking (or null). A closed channel: the caller has looked.
bool send_if_ready(hchan* c, void* elem, G** wake) noexcept;
// status not_ready: nothing is there.
recv_status recv_if_ready(hchan* c, void* slot, G** wake) noexcept;

// Closes an open channel, under its lock; the goroutines to make ready are appended to `woken`.
void close_locked(hchan* c, gqueue& woken) noexcept;

[[noreturn]] void panic_send_on_closed();

}  // namespace weir::rt
