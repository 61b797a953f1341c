// Giving the terminal back at any end of the process, from signal handlers too: all that it takes
// is prepared while there is time. State of the process; one terminal at a time.
#pragma once

#include <termios.h>

#include <string>

namespace weir::tools::top::restore {

// From here on restore_now, the handlers of fatal signals and the guard write `bytes` to the
// terminal and set its modes to `modes`. Does not throw: without a guard SIGKILL leaves the screen
// as it is.
void arm(int terminal, const termios& modes, const std::string& bytes);
// The terminal is as it was: nobody has to do anything.
void disarm() noexcept;
// Again as armed before.
void rearm() noexcept;
// Ends the guard, and the handlers.
void end() noexcept;

// Async-signal-safe; once, until it is armed again.
void restore_now() noexcept;
// Restores, and dies of the signal as if nobody had handled it. Async-signal-safe.
void die_of(int signal) noexcept;

}  // namespace weir::tools::top::restore
