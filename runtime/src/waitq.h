// A line of waiters (waitq is declared in <weir/detail/sema.h>), under its owner's lock.
#pragma once

#include <weir/detail/sema.h>

#include "runtime2.h"

namespace weir::rt {

// Decides between several that may wake s's goroutine: channels of a select, a context. The first
// one wins.
inline bool claim(sudog* s) noexcept {
  uint32_t not_won = 0;
  return !s->is_select || s->g->select_done.compare_exchange_strong(not_won, 1);
}

inline void waitq::enqueue(sudog* s) noexcept {
  s->next = nullptr;
  s->prev = last;
  if (last) {
    last->next = s;
  } else {
    first.store(s, std::memory_order_relaxed);
  }
  last = s;
}

inline sudog* waitq::dequeue() noexcept {
  while (sudog* s = first.load(std::memory_order_relaxed)) {
    remove(s);
    if (claim(s)) return s;
  }
  return nullptr;
}

inline void waitq::remove(sudog* s) noexcept {
  if (s->prev) {
    s->prev->next = s->next;
  } else {
    first.store(s->next, std::memory_order_relaxed);
  }
  (s->next ? s->next->prev : last) = s->prev;
  s->next = s->prev = nullptr;
}

inline bool waitq::contains(const sudog* s) const noexcept {
  return s->prev || s->next || first.load(std::memory_order_relaxed) == s;
}

// gopark's commit for those who queued under a spin_lock.
inline void unlock_spin(G*, void* lock) noexcept { static_cast<spin_lock*>(lock)->unlock(); }

}  // namespace weir::rt
