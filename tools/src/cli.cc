// The command as a whole: all subcommands, and what becomes of their errors.
#include <exception>
#include <memory>
#include <new>
#include <string>

#include "cli_model.h"
#include "command.h"
#include "output.h"
#include "printable.h"

namespace weir::tools {

namespace {

constexpr const char* kVersion = "weir " WEIR_VERSION;

constexpr const char* kDescription =
    "Goroutines of weir and Go programs: dump, compare, draw, find leaks\n"
    "TARGET is where goroutines come from: a running program's endpoint (http://host:port, with a "
    "path where a proxy has one; https://; unix:PATH), one answer of it by its full URL "
    "(http://host:port/debug/pprof/goroutine?debug=2), a file with a dump (pprof, Go's debug=1 or "
    "debug=2 text, a panic's output, weir's JSON; gzip or not) or - for stdin. Programs of Go and "
    "of weir alike.\n"
    "\n"
    "Of a Go program's endpoint with more than 10000 goroutines, counts are read, without ids, "
    "wait reasons and times, since Go would stop the program for these; a full URL that ends in "
    "goroutine?debug=2 reads them all the same.\n"
    "\n"
    "Exit status: 0 nothing was found, 1 something was (growth, leaks), 2 wrong usage, or a target "
    "that cannot be read or reached.\n"
    "\n"
    "Environment: WEIR_TOKEN is the endpoint's bearer token, as --token. NO_COLOR: no colours, and "
    "no links, on a terminal either. http_proxy, https_proxy and no_proxy are heeded for other "
    "machines.";

constexpr const char* kExamples =
    "Examples:\n"
    "  weir dump http://localhost:6060 -o before.json\n"
    "  weir diff before.json http://localhost:6060\n"
    "  weir graph http://localhost:6060 -o graph.svg\n"
    "  weir leaks http://localhost:6060";

// "weir diff": the command that was asked for, as far as it was understood.
std::string asked_for(const CLI::App& weir) {
  const auto subs = weir.get_subcommands();
  return subs.empty() ? weir.get_name() : weir.get_name() + " " + subs.front()->get_name();
}

std::string unknown(const std::string& command, const std::string& word) {
  return word + ": " + command + " knows no such " +
         (word.starts_with('-') ? "option"
          : command == "weir"   ? "command"
                                : "argument");
}

std::string usage_text(const CLI::App& weir, const CLI::ParseError& e) {
  std::string text = e.what();
  const std::string command = asked_for(weir);
  const std::vector<std::string> left = weir.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr && !left.empty()) {
    text = unknown(command, left.front());
  } else if (dynamic_cast<const CLI::RequiredError*>(&e) != nullptr) {
    const bool is_command = command == "weir";
    text = is_command && !left.empty()
               ? unknown(command, left.front())
               : command + ": " + (is_command ? "a command is missing" : text);
  }
  return text + "; see " + command + " --help";
}

}  // namespace

void add_all(CLI::App& weir, Action& action) {
  weir.name("weir");
  weir.description(kDescription);
  weir.formatter(std::make_shared<HelpFormatter>());
  weir.set_help_flag("-h,--help", "Print this help");
  weir.set_version_flag("--version", kVersion, "Print the version");
  weir.require_subcommand(1);
  add_dump(weir, action);
  add_diff(weir, action);
  add_graph(weir, action);
  add_leaks(weir, action);
  add_check(weir, action);
  add_top(weir, action);
  add_completion(weir, action);
  add_manual(weir, action);
  for (CLI::App* const sub : weir.get_subcommands({})) {
    sub->set_version_flag("--version", kVersion, "Print the version");
  }
  weir.footer(kExamples);  // now: the commands would have it too
}

int run_command(int argc, const char* const* argv) {
  CLI::App weir;
  Action action;
  add_all(weir, action);
  try {
    weir.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) {
      complain(usage_text(weir, e));
      return kFailed;
    }
    const bool version = dynamic_cast<const CLI::CallForVersion*>(&e) != nullptr;
    action = [text = version ? std::string(e.what()) + "\n" : weir.help()] {
      write_output("", [&text](const profiler::Sink& sink) { sink(text); });
      return kClean;
    };
  }
  try {
    return action();
  } catch (const std::bad_alloc&) {
    complain("out of memory");
  } catch (const std::exception& e) {
    complain(e.what());
  }
  return kFailed;
}

}  // namespace weir::tools
