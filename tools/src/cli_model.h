// The definition of the options as plain values: what the help, the completions and the manual are
// made from. Read from CLI11's App, so that there is one definition alone.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace weir::tools {

struct OptionModel {
  std::vector<std::string> names;    // "-o", "--output"; of an argument: its name alone
  std::string value;                 // "FILE", "text|json"; empty: takes none
  std::vector<std::string> choices;  // the words that its value can be; empty: any
  std::string description;           // what it is for, with its default and environment
  bool is_file = false;              // its value is or may be a file
  bool is_required = false;
  bool is_repeated = false;  // may be given several times

  // "-o, --output=FILE"
  std::string heading() const;
};

struct CommandModel {
  std::string name;                    // "weir diff"
  std::string summary;                 // a line
  std::string details;                 // paragraphs; may be empty
  std::vector<OptionModel> arguments;  // in their order
  std::vector<OptionModel> options;
  std::string examples;  // the footer, as it is
  std::vector<CommandModel> commands;

  // "weir diff [OPTIONS] OLD NEW"
  std::string usage() const;
  std::string last_word() const { return name.substr(name.rfind(' ') + 1); }
};

// `name`: how the App is called, its parents' names before it.
CommandModel model_of(const CLI::App& app, const std::string& name);

// `text` in lines of at most `width` columns, each after `indent` blanks; paragraphs and lines that
// begin with a blank stay as they are. Ends with a newline.
std::string wrapped(const std::string& text, size_t indent, size_t width = 80);

// -h, --help.
class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const override;
};

}  // namespace weir::tools
