// Calls that block the OS thread: system calls, libraries that wait.
//
//   ssize_t n = weir::blocking([&] { return ::read(fd, buf, sizeof buf); });
#pragma once

#include <type_traits>
#include <utility>

#include <weir/detail/pc.h>

namespace weir {

namespace detail {

// entersyscall, exitsyscall. False: nothing is to be undone (a plain thread; already in one).
bool enter_blocking();
void exit_blocking() noexcept;

}  // namespace detail

// Calls f(), which may block the OS thread, and returns what it returns; the goroutine keeps its
// thread, and other goroutines go on on others. Dumps show it as `syscall` with the stack of the
// call of `blocking`; no signal of weir's interrupts f. An exception of f passes through. At most
// Options::max_blocking such calls are under way at once; further ones wait in line (wait reason
// "semacquire"). When the line stands still for 10 ms, one more is let through each 10 ms, so that
// calls which wait for each other go on; the program dies at Options::max_threads. f should not use
// weir itself: it may, but is an ordinary goroutine again from the first call that parks. On a
// plain thread: f(). Go: every system call and cgo call does this.
template <class F>
[[gnu::always_inline]] inline auto blocking(F f) -> std::invoke_result_t<F&> {
  struct Guard {
    bool entered;
    ~Guard() {
      if (entered) detail::exit_blocking();
    }
  } guard{detail::enter_blocking()};
  return f();
}

// The calling goroutine runs on its present OS thread alone, and the thread runs nothing else,
// until as many calls of unlock_os_thread; for libraries that keep state per thread. A goroutine
// that ends locked ends its thread. On a plain thread: nothing. Never blocks. Go:
// runtime.LockOSThread.
void lock_os_thread();
// Undoes one lock_os_thread; without one: nothing. Go: runtime.UnlockOSThread.
void unlock_os_thread();

}  // namespace weir
