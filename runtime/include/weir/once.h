// Once: does something one time only. Go: sync.Once.
//
//   static weir::Once once;
//   once.call([] { load_tables(); });
#pragma once

#include <atomic>
#include <utility>

#include <weir/detail/pc.h>
#include <weir/mutex.h>

namespace weir {

// Goroutines and plain threads. (std::call_once would block the OS thread.)
class Once {
 public:
  constexpr Once() noexcept = default;
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  // Calls f, if it is the first call on this Once. All others return when that one is done, and so
  // may block ("sync.Mutex.Lock"), for ever if f itself calls. A function that is left by an
  // exception, or by goexit, counts as done too, as with Go's panics: the exception goes on to the
  // first caller; the others, then and later, return as usual. (std::call_once would try again.)
  // Go: Do.
  template <class F>
  [[gnu::always_inline]] void call(F&& f) {
    if (done_.load(std::memory_order_acquire)) return;
    call_slow(std::forward<F>(f));
    detail::keep_frame();
  }

 private:
  template <class F>
  void call_slow(F&& f) {
    struct Unlock {
      Mutex& mu;
      ~Unlock() { mu.unlock(); }
    };
    struct Done {
      std::atomic<bool>& done;
      ~Done() { done.store(true, std::memory_order_release); }
    };
    mu_.lock();
    Unlock unlock{mu_};
    if (done_.load(std::memory_order_relaxed)) return;
    Done done{done_};
    std::forward<F>(f)();
  }

  std::atomic<bool> done_{false};
  Mutex mu_;  // held while the function runs
};

}  // namespace weir
