// weir check

#include "command.h"
#include "failure.h"

namespace weir::tools {

void add_check(CLI::App& weir, Action& action) {
  CLI::App* command = weir.add_subcommand("check", "check");
  command->callback(
      [&action] { action = []() -> int { throw Failure("check", "not there yet"); }; });
}

}  // namespace weir::tools
