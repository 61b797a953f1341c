// The completion for bash. Bash splits words at '=' too, so that "--format=js" comes as three.
#include <algorithm>
#include <string>

#include "scripts.h"

namespace weir::tools {

namespace {

constexpr const char* kHead = R"sh(# bash completion for weir: source <(weir completion bash)

_weir_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
  # A value follows at once.
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}

_weir_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_weir() {
  local cur=${COMP_WORDS[COMP_CWORD]} command="" option="" i
  COMPREPLY=()
)sh";

constexpr const char* kOption = R"sh(
  if [[ $cur == "=" ]]; then
    option=${COMP_WORDS[COMP_CWORD - 1]} cur=""
  elif ((COMP_CWORD >= 2)) && [[ ${COMP_WORDS[COMP_CWORD - 1]} == "=" ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  elif ((COMP_CWORD >= 1)); then
    option=${COMP_WORDS[COMP_CWORD - 1]}
  fi
  case "$command $option" in
)sh";

std::string list(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : separator).append(word);
  return text;
}

std::vector<std::string> names_of(const std::vector<CommandModel>& commands) {
  std::vector<std::string> names;
  for (const CommandModel& c : commands) names.push_back(c.last_word());
  return names;
}

// What follows an option that takes a value.
void append_values(std::string& to, const std::string& command, const OptionModel& o) {
  if (o.value.empty()) return;
  std::vector<std::string> patterns;
  for (const std::string& name : o.names) patterns.push_back("\"" + command + " " + name + "\"");
  to += "    " + list(patterns, " | ") + ") ";
  if (!o.choices.empty()) to += "_weir_words \"" + list(o.choices, " ") + "\"; ";
  if (o.is_file) to += "_weir_files; ";
  to += "return ;;\n";
}

std::string option_words(const CommandModel& c) {
  std::vector<std::string> words;
  for (const OptionModel& o : c.options) {
    for (const std::string& name : o.names) {
      words.push_back(name + (name.starts_with("--") && !o.value.empty() ? "=" : ""));
    }
  }
  return list(words, " ");
}

void append_arguments(std::string& to, const CommandModel& c) {
  if (c.arguments.empty()) return;
  const auto choice = std::find_if(c.arguments.begin(), c.arguments.end(),
                                   [](const OptionModel& a) { return !a.choices.empty(); });
  to += "    " + c.last_word() + ") ";
  to += choice == c.arguments.end() ? "_weir_files"
                                    : "_weir_words \"" + list(choice->choices, " ") + "\"";
  to += " ;;\n";
}

}  // namespace

std::string bash_completion(const CommandModel& weir) {
  const std::vector<std::string> names = names_of(weir.commands);
  std::string to = kHead;
  to +=
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case ${COMP_WORDS[i]} in\n"
      "      " +
      list(names, " | ") +
      ") command=${COMP_WORDS[i]}; break ;;\n"
      "    esac\n"
      "  done\n";
  to += kOption;
  for (const OptionModel& o : weir.options) append_values(to, "", o);
  for (const CommandModel& c : weir.commands) {
    for (const OptionModel& o : c.options) append_values(to, c.last_word(), o);
  }
  to +=
      "  esac\n"
      "  if [[ $cur == -* ]]; then\n"
      "    case $command in\n"
      "    \"\") _weir_words \"" +
      option_words(weir) + "\" ;;\n";
  for (const CommandModel& c : weir.commands) {
    to += "    " + c.last_word() + ") _weir_words \"" + option_words(c) + "\" ;;\n";
  }
  to +=
      "    esac\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n"
      "    \"\") _weir_words \"" +
      list(names, " ") + "\" ;;\n";
  for (const CommandModel& c : weir.commands) append_arguments(to, c);
  return to + "  esac\n}\n\ncomplete -F _weir weir\n";
}

}  // namespace weir::tools
