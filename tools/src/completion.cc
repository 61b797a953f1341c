// weir completion: the script for a shell.

#include <memory>
#include <string>

#include "command.h"
#include "output.h"
#include "scripts.h"

namespace weir::tools {

void add_completion(CLI::App& weir, Action& action) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* const command = weir.add_subcommand(
      "completion",
      "Write the script by which a shell completes commands, options and their words\n"
      "It stands where shells look for it where weir is installed.");
  command->add_option("SHELL", *shell, "Which shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "Examples:\n"
      "  source <(weir completion bash)\n"
      "  source <(weir completion zsh)\n"
      "  weir completion fish | source");
  command->callback([&action, &weir, shell] {
    action = [&weir, shell] {
      const CommandModel model = model_of(weir, weir.get_name());
      const std::string text = *shell == "bash"  ? bash_completion(model)
                               : *shell == "zsh" ? zsh_completion(model)
                                                 : fish_completion(model);
      write_output("", [&text](const profiler::Sink& sink) { sink(text); });
      return kClean;
    };
  });
}

}  // namespace weir::tools
