// The completion for zsh: _arguments with one description per option.
#include <string>
#include <string_view>

#include "scripts.h"

namespace weir::tools {

namespace {

// Within single quotes, where `special` is escaped for _arguments or _describe.
std::string in_quotes(std::string_view text, std::string_view special) {
  std::string to;
  for (const char c : text) {
    if (c == '\'') {
      to += "'\\''";
    } else if (c == '\n') {
      to += ' ';
    } else {
      if (c == '\\' || special.find(c) != special.npos) to += '\\';
      to += c;
    }
  }
  return to;
}

std::string value_of(const OptionModel& o) {
  std::string to = ":" + in_quotes(o.choices.empty() ? o.value : "value", ":") + ":";
  if (!o.choices.empty()) {
    to += "(";
    for (const std::string& word : o.choices) to += (to.ends_with('(') ? "" : " ") + word;
    return to + ")";
  }
  return to + (o.is_file ? "_files" : "");
}

// '(-o --output)'{-o+,--output=}'[what it is for]:FILE:_files'
std::string option(const OptionModel& o) {
  std::string all, each;
  for (const std::string& name : o.names) {
    const bool is_long = name.starts_with("--");
    all += (all.empty() ? "" : " ") + name;
    each += (each.empty() ? "" : ",") + name + (o.value.empty() ? "" : is_long ? "=" : "+");
  }
  const std::string rest =
      "[" + in_quotes(o.description, "[]:") + "]" + (o.value.empty() ? "" : value_of(o)) + "'";
  const std::string before = o.is_repeated ? "*" : "(" + all + ")";
  if (o.names.size() == 1) return "'" + before + each + rest;
  return "'" + before + "'{" + each + "}'" + rest;
}

std::string argument(const OptionModel& a, size_t number) {
  std::string to = "'" + (a.is_repeated ? "*" : std::to_string(number)) +
                   (a.is_required || a.is_repeated ? "" : ":");
  if (!a.choices.empty()) return to + value_of(a) + "'";
  return to + ":" + in_quotes(a.names.front(), ":") + ":_files'";
}

std::string arguments(const CommandModel& c, const std::string& indent) {
  std::string to = "_arguments";
  for (const OptionModel& o : c.options) to += " \\\n" + indent + option(o);
  size_t number = 0;
  for (const OptionModel& a : c.arguments) to += " \\\n" + indent + argument(a, ++number);
  return to;
}

}  // namespace

std::string zsh_completion(const CommandModel& weir) {
  std::string to =
      "#compdef weir\n"
      "# zsh completion for weir: source <(weir completion zsh), or as _weir below $fpath\n\n"
      "_weir() {\n"
      "  local state line\n"
      "  typeset -A opt_args\n"
      "  " +
      arguments(weir, "    ");
  to.replace(to.rfind("_arguments"), std::string_view("_arguments").size(), "_arguments -C");
  to +=
      " \\\n    '1:command:->command' \\\n    '*::argument:->argument'\n"
      "  case $state in\n"
      "    command)\n"
      "      local -a commands=(\n";
  for (const CommandModel& c : weir.commands) {
    to += "        '" + c.last_word() + ":" + in_quotes(c.summary, ":") + "'\n";
  }
  to +=
      "      )\n"
      "      _describe command commands\n"
      "      ;;\n"
      "    argument)\n"
      "      case $words[1] in\n";
  for (const CommandModel& c : weir.commands) {
    to += "        " + c.last_word() + ")\n          " + arguments(c, "            ") +
          "\n          ;;\n";
  }
  return to +
         "      esac\n"
         "      ;;\n"
         "  esac\n"
         "}\n\n"
         "if [[ $funcstack[1] == _weir ]]; then\n"
         "  _weir \"$@\"\n"
         "else\n"
         "  compdef _weir weir\n"
         "fi\n";
}

}  // namespace weir::tools
