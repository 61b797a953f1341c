// Code that needs more stack than a goroutine has: libdw takes 150 KiB in one step, past any guard
// page.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

namespace weir::profiler {

// Is this the stack of an OS thread? On a goroutine it is not.
inline bool on_the_threads_own_stack() {
  pthread_attr_t attr;
  if (pthread_getattr_np(pthread_self(), &attr) != 0) return false;
  void* lo = nullptr;
  size_t bytes = 0;
  pthread_attr_getstack(&attr, &lo, &bytes);
  pthread_attr_destroy(&attr);
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return here - reinterpret_cast<uintptr_t>(lo) < bytes;
}

// f(), here or, on a goroutine, on a thread of its own, which is waited for with the goroutine's P.
template <class F>
auto on_roomy_stack(F f) -> decltype(f()) {
  if (on_the_threads_own_stack()) return f();
  std::optional<decltype(f())> result;
  std::exception_ptr failure;
  std::thread([&] {
    try {
      result.emplace(f());
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  return std::move(*result);
}

}  // namespace weir::profiler
