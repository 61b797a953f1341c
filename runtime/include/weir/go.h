// Goroutines: run the scheduler, start goroutines, ask about them.
//
//   int main() {
//     return weir::run([] {
//       auto ch = weir::make_chan<int>();
//       weir::go([ch]() mutable { ch.send(42); });
//       std::printf("%d\n", *ch.recv());
//     });
//   }
//
// A goroutine runs on some OS thread (M) and may move to another at each call that can block. So
// the address of a thread_local (errno included) must not be kept over such a call, and a
// std::mutex must not be held over one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir {

// Settings of the scheduler, for `run`. Zero means: the environment variable, else the default.
struct Options {
  int maxprocs = 0;  // goroutines running at once; WEIR_MAXPROCS, else the CPUs of this process
  size_t stack_size = 0;  // bytes of a goroutine's stack; WEIR_STACK_SIZE, else 64 KiB (256 KiB
                          // under a sanitizer). Rounded up to a power of two from 16 KiB to 64 MiB.
  int max_blocking = 0;   // calls of `blocking` under way at once; WEIR_MAX_BLOCKING, else 512
  int max_threads = 0;    // OS threads for goroutines, above which the program dies;
                          // WEIR_MAX_THREADS, else 10000. Go: debug.SetMaxThreads
  uint64_t perturb_seed = 0;  // for tests: the scheduler makes unusual choices, by chance from this
                              // seed; WEIR_PERTURB, else off
  bool cpu_accounting = false;  // count how long each goroutine runs (debug=3: cpu_ns), by the
                                // clock of its thread's wall: 10 ns a switch; WEIR_CPU_ACCOUNTING=1
};

// Settings of one goroutine, for `go`.
struct GoOptions {
  std::string_view name = {};  // shown in dumps; the first 31 bytes are kept
  size_t stack_size = 0;       // bytes; 0: the program's size (Options::stack_size)
};

namespace detail {

// A goroutine's function, type-erased. The closure lives at the top of the goroutine's own stack.
struct func {
  size_t size;                              // bytes of the closure
  size_t align;                             // its alignment
  void (*construct)(void* to, void* from);  // moves the closure onto the new stack; may throw
  void (*invoke)(void* self);               // calls and destroys the closure
};

uint64_t newproc(const func& fn, void* closure, const GoOptions& options);
int run(const func& fn, void* closure, const Options& options);

template <class F>
[[gnu::noinline]] void invoke(void* self) {
  struct Guard {  // destroyed on return and by the forced unwinding of goexit alike
    F* f;
    ~Guard() { f->~F(); }
  } guard{static_cast<F*>(self)};
  (*guard.f)();
}

template <class F>
inline constexpr func kFunc = {
    sizeof(F), alignof(F),
    [](void* to, void* from) { new (to) F(std::move(*static_cast<F*>(from))); }, &invoke<F>};

}  // namespace detail

// Starts a goroutine that runs f(). Never blocks. f is moved to the new goroutine's stack (a
// closure of more than a quarter of the stack is refused with std::length_error; std::bad_alloc
// when no stack can be had). What f returns is dropped; an exception that leaves f kills the
// process with a dump. Callable from goroutines and from plain threads; before `run` the goroutine
// waits for it. Go: go f().
template <class F>
[[gnu::always_inline]] inline void go(const GoOptions& options, F f) {
  static_assert(std::is_invocable_v<F&>, "weir::go takes a function without parameters");
  detail::newproc(detail::kFunc<F>, &f, options);
}
template <class F>
[[gnu::always_inline]] inline void go(F f) {
  static_assert(std::is_invocable_v<F&>, "weir::go takes a function without parameters");
  detail::newproc(detail::kFunc<F>, &f, GoOptions{});
}

// Starts the scheduler, runs main as a goroutine, and returns its int (0 where it returns nothing)
// when it returns. The calling thread waits. The other goroutines then stop where they are, as at
// the end of a Go program: their destructors do not run; a later `run` in the same process lets
// them go on. Throws std::logic_error when called from a goroutine or while another `run` is under
// way, and std::invalid_argument for a malformed option or environment variable. Go: func main.
template <class F>
[[gnu::always_inline]] inline int run(F main, const Options& options = {}) {
  static_assert(std::is_invocable_v<F&>, "weir::run takes a function without parameters");
  int result = 0;
  auto body = [&result, f = std::move(main)]() mutable {
    if constexpr (std::is_convertible_v<std::invoke_result_t<F&>, int>) {
      result = f();
    } else {
      f();
      (void)result;
    }
  };
  detail::run(detail::kFunc<decltype(body)>, &body, options);
  return result;
}

// The number of goroutines that exist, main included; plain threads are not counted. Any thread.
// Exact as seen from the only running goroutine, else a moment's value. Go: runtime.NumGoroutine.
size_t num_goroutine() noexcept;

// The calling goroutine's id, from 1 on, never used again in this process. A plain thread that uses
// weir has one too. (Go has none, on purpose; dumps have.)
uint64_t goid() noexcept;

// Lets other goroutines run; returns when this one's turn comes again. On a plain thread:
// sched_yield. Go: runtime.Gosched.
void gosched();

// Ends the calling goroutine: its destructors run, by forced unwinding. `catch (...)` sees it and
// must rethrow; swallowing it is fatal. When main's goroutine calls it, the others go on. On a
// plain thread: throws std::logic_error. Go: runtime.Goexit.
[[noreturn]] void goexit();

// Sets how many goroutines may run at once and returns the former number; n < 1 only asks. Stops
// the world for a moment. Blocks; any thread. At most 1024. Go: runtime.GOMAXPROCS.
int gomaxprocs(int n = 0);

}  // namespace weir
