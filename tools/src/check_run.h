// Runs a command as a shell would, in the terminal's foreground, and waits for its end.
#pragma once

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

// Runs command[0], looked for in PATH, with the environment of this process, in which variables are
// replaced as `variables` says, and with its standard input, output and error. While it runs,
// SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1 and SIGUSR2 do not end this process: those that some
// process sends are passed on; those of the terminal reach the command by themselves, since it is
// in the same process group. Throws Failure where it cannot be started.
//
// Not to be called while other threads run: signals are the whole process's.
Ending run_child(const std::vector<std::string>& command,
                 const std::vector<std::pair<std::string, std::string>>& variables);

}  // namespace weir::tools
