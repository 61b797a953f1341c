// The completion for fish.
#include <string>
#include <string_view>

#include "scripts.h"

namespace weir::tools {

namespace {

std::string in_quotes(std::string_view text) {
  std::string to = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') to += '\\';
    to += c == '\n' ? ' ' : c;
  }
  return to + "'";
}

std::string words(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& word : all) text += (text.empty() ? "" : " ") + word;
  return in_quotes(text);
}

// `when`: a condition, as the arguments of complete.
std::string option(const OptionModel& o, const std::string& when) {
  std::string to = "complete -c weir" + when;
  for (const std::string& name : o.names) {
    const bool is_long = name.starts_with("--");
    to += (is_long ? " -l " : " -s ") + name.substr(is_long ? 2 : 1);
  }
  if (!o.choices.empty()) {
    to += " -x -a " + words(o.choices);
  } else if (!o.value.empty()) {
    to += o.is_file ? " -r -F" : " -x";
  }
  return to + " -d " + in_quotes(o.description) + "\n";
}

}  // namespace

std::string fish_completion(const CommandModel& weir) {
  std::string to =
      "# fish completion for weir: weir completion fish | source\n\n"
      "complete -c weir -f\n";
  const std::string none = " -n __fish_use_subcommand";
  for (const OptionModel& o : weir.options) to += option(o, none);
  for (const CommandModel& c : weir.commands) {
    to += "complete -c weir" + none + " -a " + c.last_word() + " -d " + in_quotes(c.summary) + "\n";
  }
  for (const CommandModel& c : weir.commands) {
    const std::string when = " -n " + in_quotes("__fish_seen_subcommand_from " + c.last_word());
    to += "\n";
    for (const OptionModel& o : c.options) to += option(o, when);
    for (const OptionModel& a : c.arguments) {
      to += "complete -c weir" + when + (a.choices.empty() ? " -F" : " -a " + words(a.choices)) +
            "\n";
    }
  }
  return to;
}

}  // namespace weir::tools
