#include "cli_model.h"

#include <algorithm>
#include <memory>
#include <sstream>

namespace weir::tools {

namespace {

constexpr size_t kColumn = 28;  // where descriptions begin

// The words of CLI::IsMember: "TEXT:{json,text}".
std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> words;
  const size_t open = type.find('{');
  const size_t close = type.find('}', std::min(open, type.size()));
  if (close == type.npos) return words;
  std::istringstream list(type.substr(open + 1, close - open - 1));
  for (std::string word; std::getline(list, word, ',');) words.push_back(word);
  return words;
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : separator).append(word);
  return text;
}

OptionModel option_of(const CLI::Option& option) {
  OptionModel m;
  const bool is_argument = option.get_positional();
  if (is_argument) {
    m.names = {option.get_name(true)};
  } else {
    for (const std::string& name : option.get_snames()) m.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) m.names.push_back("--" + name);
  }
  const std::string type = option.get_type_name();
  m.is_required = option.get_required();
  m.is_repeated = option.get_expected_max() > 1 ||
                  option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
  m.description = option.get_description();
  if (option.get_expected_max() != 0 && option.get_type_size() != 0) {
    m.choices = choices_of(type);
    m.value = m.choices.empty() ? type.substr(0, type.find(':')) : joined(m.choices, "|");
    if (is_argument && m.choices.empty()) m.value = m.names.front();
    for (const char* const file : {"FILE", "PATH", "TARGET", "OLD", "NEW", "DIR", "CORE", "PROG"}) {
      m.is_file |= m.value == file;
    }
    std::vector<std::string> more;
    if (!option.get_default_str().empty()) more.push_back("default " + option.get_default_str());
    if (!option.get_envname().empty()) more.push_back("environment " + option.get_envname());
    if (m.is_repeated && !is_argument) more.push_back("may be given several times");
    if (!more.empty()) m.description += " (" + joined(more, "; ") + ")";
  }
  return m;
}

void append_option(std::string& to, const OptionModel& m) {
  std::string heading = "  " + m.heading();
  std::string text = wrapped(m.description, kColumn);
  if (heading.size() + 2 > kColumn) {
    to.append(heading + "\n").append(text);
  } else {
    to.append(heading).append(text.substr(std::min(text.size(), heading.size())));
  }
}

}  // namespace

std::string OptionModel::heading() const {
  std::string text = joined(names, ", ");
  if (value.empty() || !names.front().starts_with("-")) return text;
  const bool is_long = names.back().starts_with("--");
  return text + (is_long ? "=" : " ") + value;
}

std::string CommandModel::usage() const {
  std::string text = name + (options.empty() ? "" : " [OPTIONS]");
  for (const OptionModel& a : arguments) {
    const std::string shown =
        (a.choices.empty() ? a.names.front() : a.value) + (a.is_repeated ? "..." : "");
    text += a.is_required ? " " + shown : " [" + shown + "]";
  }
  if (!commands.empty()) text += " COMMAND ..";
  return text;
}

CommandModel model_of(const CLI::App& app, const std::string& name) {
  CommandModel m;
  m.name = name;
  const std::string description = app.get_description();
  const size_t end = std::min(description.find('\n'), description.size());
  m.summary = description.substr(0, end);
  m.details = description.substr(std::min(end + 1, description.size()));
  m.examples = app.get_footer();
  for (const CLI::Option* const option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    (option->get_positional() ? m.arguments : m.options).push_back(option_of(*option));
  }
  const auto is_shown = [](const CLI::App* sub) { return !sub->get_group().empty(); };
  for (const CLI::App* const sub : app.get_subcommands(is_shown)) {
    m.commands.push_back(model_of(*sub, name + " " + sub->get_name()));
  }
  return m;
}

std::string wrapped(const std::string& text, size_t indent, size_t width) {
  const std::string margin(indent, ' ');
  std::string to;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == ' ') {
      to += (line.empty() ? "" : margin) + line + "\n";
      continue;
    }
    std::istringstream words(line);
    std::string row = margin;
    for (std::string word; words >> word;) {
      const bool is_first = row.size() == indent;
      if (!is_first && row.size() + 1 + word.size() > width) {
        to += row + "\n";
        row = margin + word;
      } else {
        row += (is_first ? "" : " ") + word;
      }
    }
    to += row + "\n";
  }
  return to;
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode) const {
  const CommandModel m = model_of(*app, name.empty() ? app->get_name() : name);
  std::string to = "Usage: " + m.usage() + "\n\n" + wrapped(m.summary, 0);
  if (!m.details.empty() && m.commands.empty()) to += "\n" + wrapped(m.details, 0);
  if (!m.commands.empty()) {
    to += "\nCommands:\n";
    for (const CommandModel& sub : m.commands) {
      append_option(to, {{sub.last_word()}, "", {}, sub.summary});
    }
  }
  if (!m.arguments.empty()) to += "\nArguments:\n";
  for (const OptionModel& a : m.arguments) append_option(to, a);
  if (!m.options.empty()) to += "\nOptions:\n";
  for (const OptionModel& o : m.options) append_option(to, o);
  if (!m.details.empty() && !m.commands.empty()) to += "\n" + wrapped(m.details, 0);
  if (!m.examples.empty()) to += "\n" + m.examples + "\n";
  return to;
}

}  // namespace weir::tools
