// RWMutex: Go's sync.RWMutex, that knows its writer.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include <weir/detail/pc.h>
#include <weir/detail/sema.h>
#include <weir/mutex.h>

namespace weir {

// A lock held by many readers or one writer. Meets std's Lockable and SharedLockable
// (std::shared_lock). A waiting writer keeps new readers out, so a goroutine must not read-lock
// twice. Held for writing, it belongs to the goroutine that locked it. Goroutines and plain
// threads. Go: sync.RWMutex.
class RWMutex {
 public:
  constexpr RWMutex() noexcept {
    if (!std::is_constant_evaluated()) made_pc_ = detail::current_pc();
  }
  RWMutex(const RWMutex&) = delete;
  RWMutex& operator=(const RWMutex&) = delete;

  // Blocks until no writer holds or awaits the lock ("sync.RWMutex.RLock"). Go: RLock.
  [[gnu::always_inline]] void lock_shared() {
    rlock(detail::current_pc());
    detail::keep_frame();
  }
  // Never blocks. Go: TryRLock.
  [[gnu::always_inline]] bool try_lock_shared() { return try_rlock(detail::current_pc()); }
  // Never blocks. Fatal, with a dump, when no reader holds the lock. Go: RUnlock.
  [[gnu::always_inline]] void unlock_shared() {
    runlock();
    detail::keep_frame();
  }

  // Blocks until the lock is free of readers and writers ("sync.RWMutex.Lock", behind another
  // writer "sync.Mutex.Lock", as in Go). Go: Lock.
  [[gnu::always_inline]] void lock() {
    wlock(detail::current_pc());
    detail::keep_frame();
  }
  // Never blocks. Go: TryLock.
  [[gnu::always_inline]] bool try_lock() { return try_wlock(detail::current_pc()); }
  // Never blocks. Fatal, with a dump, when not locked for writing or locked by another goroutine.
  // Go: Unlock.
  [[gnu::always_inline]] void unlock() {
    wunlock();
    detail::keep_frame();
  }

 private:
  friend struct rt_access;
  static constexpr int32_t kMaxReaders = 1 << 30;

  void rlock(const void* pc);
  bool try_rlock(const void* pc) noexcept;
  void runlock();
  void wlock(const void* pc);
  bool try_wlock(const void* pc) noexcept;
  void wunlock();

  Mutex w_;              // held by the writer, and by the one that waits for readers
  rt::sema writer_sem_;  // the writer waits here for the readers to finish
  rt::sema reader_sem_;  // readers wait here for the writer to finish
  std::atomic<int32_t> reader_count_{0};        // readers, less kMaxReaders while a writer is there
  std::atomic<int32_t> reader_wait_{0};         // readers that the writer still waits for
  std::atomic<uint64_t> owner_{0};              // goid of the writer; 0: none
  std::atomic<const void*> lock_pc_{nullptr};   // where the writer locked
  std::atomic<const void*> rlock_pc_{nullptr};  // where the last reader locked
  const void* made_pc_ = nullptr;
};

}  // namespace weir
