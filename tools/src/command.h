// The commands: each adds itself to the one definition of the options, from which the help, the
// completions and the manual are made as well.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace weir::tools {

// Exit statuses (contract).
inline constexpr int kClean = 0, kFound = 1, kFailed = 2;

// What is to be run once all options have been read; returns the exit status, throws Failure or
// weir::profiler::error.
using Action = std::function<int()>;

// Each adds its subcommand, whose callback sets `action`.
void add_dump(CLI::App& weir, Action& action);
void add_diff(CLI::App& weir, Action& action);
void add_graph(CLI::App& weir, Action& action);
void add_leaks(CLI::App& weir, Action& action);
void add_check(CLI::App& weir, Action& action);
void add_top(CLI::App& weir, Action& action);

}  // namespace weir::tools
