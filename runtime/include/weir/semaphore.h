// Semaphore: shares a number of units of something. Go: golang.org/x/sync/semaphore.
//
//   weir::Semaphore memory(64 << 20);
//   memory.acquire(request.size());
//   ...
//   memory.release(request.size());
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <weir/detail/pc.h>
#include <weir/detail/sema.h>

namespace weir {

class Context;

namespace rt {
struct gqueue;
}

// `size` units, of which each acquire takes some. First come, first served: who asks for many is
// not overtaken by those who ask for few. Units belong to nobody: any goroutine or plain thread may
// release them. Must outlive its waiters.
class Semaphore {
 public:
  explicit constexpr Semaphore(size_t size) noexcept : size_(size) {
    if (!std::is_constant_evaluated()) made_pc_ = detail::current_pc();
  }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // Takes n units; blocks until they are free and all who came before have theirs (wait reason
  // "semacquire"). Throws panic_error when n is more than the size, since it would block for ever.
  // Go: Acquire.
  [[gnu::always_inline]] void acquire(size_t n = 1) {
    (void)acquire_slow(nullptr, n);
    detail::keep_frame();
  }
  // The same, until ctx is done at the latest. False: ctx was done first, or before; nothing is
  // taken.
  [[nodiscard, gnu::always_inline]] bool acquire(const Context& ctx, size_t n = 1) {
    bool taken = acquire_slow(&ctx, n);
    detail::keep_frame();
    return taken;
  }
  // Never blocks; false where acquire would. Go: TryAcquire.
  [[nodiscard]] bool try_acquire(size_t n = 1) noexcept;
  // Gives n units back. Never blocks. Throws panic_error when fewer are taken. Go: Release.
  [[gnu::always_inline]] void release(size_t n = 1) { release_at(n, detail::current_pc()); }

 private:
  friend struct rt_access;
  bool acquire_slow(const Context* ctx, size_t n);
  void release_at(size_t n, const void* pc);
  bool take(size_t n) noexcept;
  void grant(rt::gqueue& woken) noexcept;

  const size_t size_;
  rt::spin_lock spin_;  // protects what follows
  rt::waitq line_;
  std::atomic<size_t> taken_{0};
  std::atomic<uint32_t> waiters_{0};   // in line
  std::atomic<uint64_t> releases_{0};  // calls of release
  std::atomic<const void*> release_pc_{nullptr};
  const void* made_pc_ = nullptr;
};

}  // namespace weir
