// The commands: each adds itself to the one definition of the options, from which the help, the
// completions and the manual are made as well (cli_model.h).
//
// So that these read well: a description's first line is its summary; an option has a type_name in
// capitals (FILE and TARGET are completed as files) or CLI::IsMember, whose words are listed and
// completed; the footer has the examples.
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
void add_completion(CLI::App& weir, Action& action);
void add_manual(CLI::App& weir, Action& action);

// All of them, with what they have in common: help, version, what the exit statuses mean.
void add_all(CLI::App& weir, Action& action);

// The command as main does it: parses, runs, and says what went wrong in one line on stderr.
// Returns the exit status.
int run_command(int argc, const char* const* argv);

}  // namespace weir::tools
