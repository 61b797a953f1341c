// weir top

#include "command.h"
#include "failure.h"

namespace weir::tools {

void add_top(CLI::App& weir, Action& action) {
  CLI::App* command = weir.add_subcommand("top", "top");
  command->callback([&action] { action = []() -> int { throw Failure("top", "not there yet"); }; });
}

}  // namespace weir::tools
