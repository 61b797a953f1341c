// weir dump

#include "command.h"
#include "failure.h"

namespace weir::tools {

void add_dump(CLI::App& weir, Action& action) {
  CLI::App* command = weir.add_subcommand("dump", "dump");
  command->callback(
      [&action] { action = []() -> int { throw Failure("dump", "not there yet"); }; });
}

}  // namespace weir::tools
