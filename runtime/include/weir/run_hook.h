// For libraries that come along with the program when it is linked, and have a part in its runs.
#pragma once

namespace weir {

// Called by each weir::run, on its caller's thread. They must not call run.
struct RunHooks {
  // Before there are goroutines. What it throws, run throws. Null: nothing to do.
  void (*begin)() = nullptr;
  // When main has returned: the other goroutines still run, until all hooks have returned. Null:
  // nothing to do.
  void (*end)() noexcept = nullptr;
  RunHooks* next = nullptr;  // the runtime's
};
// The last that were added are called first. `hooks` must live as long as the process. Thread-safe;
// may be called before main.
void add_run_hooks(RunHooks& hooks) noexcept;

}  // namespace weir
