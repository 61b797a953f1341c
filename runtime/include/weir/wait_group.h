// WaitGroup: waits for a number of goroutines to be done. Go: sync.WaitGroup.
//
//   weir::WaitGroup wg;
//   for (auto& job : jobs) wg.go([&job] { job.work(); });
//   wg.wait();
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <weir/detail/pc.h>
#include <weir/detail/sema.h>
#include <weir/go.h>

namespace weir {

class Context;

// A counter that can be waited for. Goroutines and plain threads. Must outlive its waiters. add
// with a positive delta while the counter is zero must happen before wait, as in Go.
class WaitGroup {
 public:
  constexpr WaitGroup() noexcept {
    if (!std::is_constant_evaluated()) made_pc_ = detail::current_pc();
  }
  WaitGroup(const WaitGroup&) = delete;
  WaitGroup& operator=(const WaitGroup&) = delete;

  // Adds delta, which may be negative, to the counter; at zero the waiters go on. Never blocks. A
  // counter below zero, or misuse that Go detects, kills the process with a dump. Go: Add.
  [[gnu::always_inline]] void add(int delta) { add_at(delta, detail::current_pc()); }
  // add(-1). Go: Done.
  [[gnu::always_inline]] void done() { add_at(-1, detail::current_pc()); }
  // Blocks until the counter is zero (wait reason "sync.WaitGroup.Wait"). Go: Wait.
  [[gnu::always_inline]] void wait() {
    (void)wait_slow(nullptr);
    detail::keep_frame();
  }
  // The same, until ctx is done at the latest. False: ctx was done first, or before; goroutines
  // that still run refer to this WaitGroup.
  [[nodiscard, gnu::always_inline]] bool wait(const Context& ctx) {
    bool done = wait_slow(&ctx);
    detail::keep_frame();
    return done;
  }
  // add(1), then a goroutine that runs f and calls done however f ends. Go: Go.
  template <class F>
  [[gnu::always_inline]] void go(F f) {
    add(1);
    struct Done {  // the closure of the goroutine may outlive f's scope by the destructor only
      WaitGroup* wg;
      ~Done() { wg->done(); }
    };
    weir::go([this, f = std::move(f)]() mutable {
      Done done{this};
      f();
    });
  }

 private:
  friend struct rt_access;
  void add_at(int delta, const void* pc);
  bool wait_slow(const Context* ctx);

  std::atomic<uint64_t> state_{0};  // counter in the high half, waiters in the low
  rt::spin_lock spin_;              // protects the line, and the count of those in it
  rt::waitq line_;
  std::atomic<uint64_t> adds_{0};              // sum of all positive deltas
  std::atomic<uint64_t> dones_{0};             // sum of all negative ones, as a positive number
  std::atomic<const void*> add_pc_{nullptr};   // the last add
  std::atomic<const void*> done_pc_{nullptr};  // the last done
  const void* made_pc_ = nullptr;
};

}  // namespace weir
