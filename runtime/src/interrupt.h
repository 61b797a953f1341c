// The answering side of introspect::interrupt.
#pragma once

#include <signal.h>

namespace weir::rt {

// Handler of the reserved signal: answers the question in the thread's mailbox.
void on_interrupt(int sig, siginfo_t* info, void* context);

}  // namespace weir::rt
