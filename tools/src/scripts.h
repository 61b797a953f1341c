// What is generated from the definition of the options: completion scripts and the manual. Pure
// functions of the model: whatever a description holds is quoted for where it stands.
#pragma once

#include <string>

#include "cli_model.h"

namespace weir::tools {

// Each is sourced by its shell, or put where the shell looks for completions. They need nothing
// but the shell.
std::string bash_completion(const CommandModel& weir);
std::string zsh_completion(const CommandModel& weir);
std::string fish_completion(const CommandModel& weir);

// weir(1), in troff's man macros. `version`: of the program.
std::string manual(const CommandModel& weir, const std::string& version);

}  // namespace weir::tools
