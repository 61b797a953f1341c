// The kernel's futex, and a one-shot note on it (Go: note, notesleep, notewakeup).
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>

namespace weir::rt {

// Sleeps while *word == expected, at most timeout_ns (negative: no limit). May return early. Keeps
// errno.
inline void futex_wait(const std::atomic<uint32_t>* word, uint32_t expected,
                       int64_t timeout_ns = -1) noexcept {
  timespec limit, *limit_ptr = nullptr;
  if (timeout_ns >= 0) {
    limit = {static_cast<time_t>(timeout_ns / 1'000'000'000),
             static_cast<long>(timeout_ns % 1'000'000'000)};
    limit_ptr = &limit;
  }
  int saved = errno;
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, limit_ptr, nullptr, 0);
  errno = saved;
}

inline void futex_wake(const std::atomic<uint32_t>* word, int n = 1) noexcept {
  int saved = errno;
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, nullptr, nullptr, 0);
  errno = saved;
}

// One thread sleeps until another one wakes it, before or after; clear between uses.
class note {
 public:
  void clear() noexcept { word_.store(0, std::memory_order_relaxed); }
  void sleep() noexcept {
    while (word_.load(std::memory_order_acquire) == 0) futex_wait(&word_, 0);
  }
  // False: not woken within timeout_ns (negative: no limit), or by something else.
  bool sleep_for(int64_t timeout_ns) noexcept {
    if (word_.load(std::memory_order_acquire) == 0) futex_wait(&word_, 0, timeout_ns);
    return word_.load(std::memory_order_acquire) != 0;
  }
  void wake() noexcept {
    word_.store(1, std::memory_order_release);
    futex_wake(&word_);
  }

 private:
  std::atomic<uint32_t> word_{0};
};

inline void cpu_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

}  // namespace weir::rt
