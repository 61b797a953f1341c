// For libraries that come along with the program when it is linked, and start when it does.
#pragma once

namespace weir {

// Called by each weir::run, on its caller's thread, before there are goroutines. Must not throw.
using RunHook = void (*)() noexcept;
// There is one: a later call replaces it. Thread-safe; may be called before main.
void set_run_hook(RunHook hook) noexcept;

}  // namespace weir
