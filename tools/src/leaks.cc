// weir leaks

#include "command.h"
#include "failure.h"

namespace weir::tools {

void add_leaks(CLI::App& weir, Action& action) {
  CLI::App* command = weir.add_subcommand("leaks", "leaks");
  command->callback(
      [&action] { action = []() -> int { throw Failure("leaks", "not there yet"); }; });
}

}  // namespace weir::tools
