// weir diff

#include "command.h"
#include "failure.h"

namespace weir::tools {

void add_diff(CLI::App& weir, Action& action) {
  CLI::App* command = weir.add_subcommand("diff", "diff");
  command->callback(
      [&action] { action = []() -> int { throw Failure("diff", "not there yet"); }; });
}

}  // namespace weir::tools
