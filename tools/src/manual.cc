// The manual, weir(1), and the command that writes it.
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

#include "command.h"
#include "output.h"
#include "scripts.h"

namespace weir::tools {

namespace {

// Text that troff takes as it is.
std::string plain(std::string_view text) {
  std::string to;
  bool at_start = true;
  for (const char c : text) {
    if (at_start && (c == '.' || c == '\'')) to += "\\&";
    at_start = c == '\n';
    if (c == '\\') {
      to += "\\e";
    } else if (c == '-') {
      to += "\\-";
    } else if (c == '\'') {
      to += "\\(aq";
    } else if (c == '`') {
      to += "\\(ga";
    } else if (c == '^') {
      to += "\\(ha";
    } else if (c == '~') {
      to += "\\(ti";
    } else {
      to += c;
    }
  }
  return to;
}

std::string bold(std::string_view text) { return "\\fB" + plain(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + plain(text) + "\\fR"; }

std::string heading(const OptionModel& o) {
  if (!o.names.front().starts_with("-")) return italic(o.names.front());
  std::string to;
  for (const std::string& name : o.names) to += (to.empty() ? "" : ", ") + bold(name);
  if (o.value.empty()) return to;
  return to + (o.names.back().starts_with("--") ? "=" : " ") + italic(o.value);
}

void append_options(std::string& to, const std::vector<OptionModel>& options) {
  for (const OptionModel& o : options) {
    to += ".TP\n" + heading(o) + "\n" + plain(o.description) + "\n";
  }
}

// Paragraphs, with an empty line between them.
std::vector<std::string> paragraphs(const std::string& text) {
  std::vector<std::string> all(1);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      all.emplace_back();
    } else {
      all.back() += (all.back().empty() ? "" : "\n") + line;
    }
  }
  return all;
}

void append_details(std::string& to, const std::string& details) {
  if (details.empty()) return;
  for (const std::string& p : paragraphs(details)) {
    // "Exit status: 0 nothing .." has a section of its own.
    const size_t colon = p.find(": ");
    bool is_title = colon < 20 && p.find('\n') > colon;
    std::string title;
    for (const char c : p.substr(0, is_title ? colon : 0)) {
      title += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    is_title = title == "EXIT STATUS" || title == "ENVIRONMENT";
    to += is_title ? ".SH " + title + "\n" + plain(p.substr(colon + 2)) : ".PP\n" + plain(p);
    to += "\n";
  }
}

// The footer: a title, then lines as they are.
void append_examples(std::string& to, const std::string& footer) {
  if (footer.empty()) return;
  const size_t end = std::min(footer.find('\n'), footer.size());
  to += ".PP\n" + plain(footer.substr(0, end)) + "\n.PP\n.nf\n" +
        plain(footer.substr(std::min(end + 1, footer.size()))) + "\n.fi\n";
}

}  // namespace

std::string manual(const CommandModel& weir, const std::string& version) {
  std::string to = ".\\\" Written by weir manual.\n.TH WEIR 1 \"\" \"" + version +
                   "\" \"User Commands\"\n.SH NAME\nweir \\- " + plain(weir.summary) +
                   "\n.SH SYNOPSIS\n.nf\n";
  for (const CommandModel& c : weir.commands) {
    to += bold(c.name) + plain(c.usage().substr(c.name.size())) + "\n";
  }
  to += ".fi\n.SH DESCRIPTION\n";
  std::string details;
  append_details(details, weir.details);
  // Sections of their own come behind the commands.
  const size_t sections = std::min(details.find(".SH "), details.size());
  to += details.substr(0, sections) + ".SH OPTIONS\n";
  append_options(to, weir.options);
  to += ".SH COMMANDS\n";
  for (const CommandModel& c : weir.commands) {
    to += ".SS " + plain(c.usage()) + "\n" + plain(c.summary) + ".\n";
    append_details(to, c.details);
    append_options(to, c.arguments);
    append_options(to, c.options);
    append_examples(to, c.examples);
  }
  to += details.substr(sections);
  if (!weir.examples.empty()) {
    const size_t end = std::min(weir.examples.find('\n'), weir.examples.size() - 1);
    to += ".SH EXAMPLES\n.nf\n" + plain(weir.examples.substr(end + 1)) + "\n.fi\n";
  }
  return to + ".SH SEE ALSO\n" + bold("go") + "(1), " + bold("dot") + "(1)\n";
}

void add_manual(CLI::App& weir, Action& action) {
  CLI::App* const command =
      weir.add_subcommand("manual",
                          "Write this manual, for man: weir manual | man -l -\n"
                          "It stands in share/man where weir is installed.");
  command->callback([&action, &weir] {
    action = [&weir] {
      const std::string text = manual(model_of(weir, weir.get_name()), weir.version());
      write_output("", [&text](const profiler::Sink& sink) { sink(text); });
      return kClean;
    };
  });
}

}  // namespace weir::tools
