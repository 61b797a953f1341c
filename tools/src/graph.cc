// weir graph

#include "command.h"
#include "failure.h"

namespace weir::tools {

void add_graph(CLI::App& weir, Action& action) {
  CLI::App* command = weir.add_subcommand("graph", "graph");
  command->callback(
      [&action] { action = []() -> int { throw Failure("graph", "not there yet"); }; });
}

}  // namespace weir::tools
