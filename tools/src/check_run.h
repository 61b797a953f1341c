// Runs a command as a shell would, in the terminal's foreground, and waits for its end.
#pragma once

#include <signal.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::tools {

// How a command has ended.
struct Ending {
  int status = 0;  // of its exit
  int signal = 0;  // that killed it; 0: none

  // As a shell puts it: 128 + the signal's number.
  int exit_status() const { return signal != 0 ? 128 + signal : status; }
  std::string text() const;  // "exited with status 3", "was killed by SIGTERM"
};

// SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1 and SIGUSR2 do not end this process while it exists:
// what has to be cleaned up can be. Those that were ignored stay so; those that nobody has asked
// for are forgotten at its end, so that what a command was to be told of does not end the report.
//
// Not to be made while other threads run: signals are the whole process's.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  const sigset_t& before() const { return before_; }  // the mask that commands are to have
  siginfo_t wait() const;                             // for the next of them, or SIGCHLD

 private:
  sigset_t set_{}, before_{};
  struct sigaction child_action_ {};
};

// Runs command[0], looked for in PATH, with the environment of this process, in which variables are
// replaced as `variables` says, and with its standard input, output and error. Signals that some
// process sends here are passed on; those of the terminal reach the command by themselves, since it
// is in the same process group. Throws Failure where it cannot be started.
Ending run_child(const HeldSignals& signals, const std::vector<std::string>& command,
                 const std::vector<std::pair<std::string, std::string>>& variables);

}  // namespace weir::tools
