// The exit status of a program that has leaked (exit_status.h).
//
// The program goes on to its own end, so that its other failures, its flushing and its destructors
// are what they were; then exit(3) is called anew from within, with the other status. (glibc allows
// that: what is still to be done at exit is done by the second call.)
#include "exit_status.h"

#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <mutex>

#include <weir/testing.h>

namespace weir::testing {

namespace {

std::array<std::atomic<pid_t>, 2> leaking{};  // by watcher; 0: nobody

void at_exit(int status, void*) {
  if (status != 0) return;
  for (const auto& process : leaking) {
    if (process == getpid()) exit(kLeakStatus);
  }
}

}  // namespace

void print(std::string_view text) noexcept {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void fail_at_exit(Watcher who, bool fails) noexcept {
  leaking[static_cast<size_t>(who)] = fails ? getpid() : 0;
  static std::once_flag once;
  std::call_once(once, [] { on_exit(&at_exit, nullptr); });
}

}  // namespace weir::testing
