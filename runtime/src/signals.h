// Signals: the profiler's question to a running thread, stack overflow, SIGQUIT.
#pragma once

#include <signal.h>

namespace weir::rt {

// As sigaction(2) with SA_SIGINFO, SA_ONSTACK and SA_RESTART, past ThreadSanitizer's wrapper: for
// handlers that are not instrumented. `former` may be null.
void set_handler(int sig, void (*handler)(int, siginfo_t*, void*), struct sigaction* former);

// Installs the handler of the reserved signal, by which introspect asks a thread for its registers.
// Once.
void install_signal_handlers();
// SIGSEGV and SIGBUS (stack overflow is told from other faults, which go to the former handler),
// and SIGQUIT, where the program has no handler of its own. Once, at the first run().
void install_fatal_handlers();
// Gives the calling thread an alternate stack, so that a handler can run when the goroutine has
// none left.
void* install_signal_stack();
// Before the thread ends.
void remove_signal_stack(void* at) noexcept;
// The number of the reserved signal.
int interrupt_signal() noexcept;

}  // namespace weir::rt
