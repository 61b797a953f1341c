// weir check: runs a command, and reports what its processes leave behind.
//
// The processes are told to report and to do nothing else about it (WEIR_LEAKCHECK=report): no test
// fails and no exit status changes by a leak, so what the command does is its own, also where a
// parent (ctest, a shell) makes something else of its children's statuses, and the verdict on leaks
// is given once, here, where the baseline is known.
//
// Exit status: 2 where something went wrong here; else 1 where there are leaks (but known ones),
// whatever the command returned; else the command's own, which is 128 + N where signal N killed it.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "check_gather.h"
#include "check_run.h"
#include "command.h"
#include "failure.h"
#include "output.h"
#include "printable.h"
#include "reporting.h"

namespace weir::tools {

namespace {

struct CheckOptions {
  ReportOptions report;
  std::string program;
  std::vector<std::string> command;  // the program and its arguments
};

// All of --ignore, and what the environment has already, as one expression.
std::string combined_ignore(const std::vector<std::string>& ignore) {
  std::string all;
  const auto add = [&all](const std::string& one) {
    if (!one.empty()) all.append(all.empty() ? "(?:" : "|(?:").append(one).append(")");
  };
  const char* const given = std::getenv("WEIR_LEAKCHECK_IGNORE");
  add(given ? given : "");
  for (const std::string& one : ignore) add(one);
  constexpr size_t kMost = 1000;  // bytes; what the processes take
  if (all.size() > kMost) {
    throw Failure("--ignore", "all together are longer than " + std::to_string(kMost) + " bytes");
  }
  return all;
}

int check(const CheckOptions& o) {
  const Reporting reporting(o.report);
  const std::string ignore = combined_ignore(o.report.ignore);
  Gathered gathered;
  Ending ending;
  {
    const HeldSignals signals;  // as long as the directory is there
    const PrivateDirectory directory;
    ending = run_child(signals, o.command,
                       {{"WEIR_LEAKCHECK", "report"},
                        {"WEIR_LEAKCHECK_REPORT", directory.path()},
                        {"WEIR_LEAKCHECK_IGNORE", ignore}});
    gathered = gather(directory.path());
  }
  profiler::Report& report = gathered.report;
  if (gathered.processes == 0 && report.complete) {
    report.notes.push_back(
        "Nothing was looked at: no process that is linked with weir::profiler came to the end of "
        "weir::run.");
  }
  const bool is_whole = ending.exit_status() == 0 && report.complete && gathered.silent == 0 &&
                        gathered.processes > 0;
  const Verdict verdict = reporting.judge(report, is_whole);
  reporting.write(report);
  if (!o.report.output.empty() && o.report.output != "-" && verdict.fresh > 0) {
    // The log tells why it is red, too.
    write_report(report, "text", [](std::string_view piece) {
      return std::fwrite(piece.data(), 1, piece.size(), stderr) == piece.size();
    });
  }
  for (const std::string& why : gathered.unreadable) complain("check: " + why);
  std::string last = "check: " + verdict.text() + " in " + std::to_string(gathered.processes) +
                     (gathered.processes == 1 ? " process" : " processes");
  if (ending.exit_status() != 0) last.append("; the command ").append(ending.text());
  complain(last);
  if (!report.complete) return kFailed;
  return verdict.fresh > 0 ? kFound : ending.exit_status();
}

}  // namespace

void add_check(CLI::App& weir, Action& action) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* command = weir.add_subcommand(
      "check",
      "Run a program or a suite of tests, and report the goroutines that it leaves behind\n"
      "All weir processes that COMMAND starts report, the children of ctest, make or ninja too: "
      "what is left at the end of each weir::run and, by test, what install_leak_listener and "
      "LeakGuard find. Meanwhile leaks make no test fail and change no exit status.\n"
      "\n"
      "Exit status: 2 where weir check itself failed; else 1 where there are leaks (other than "
      "known ones), whatever COMMAND returned; else COMMAND's own, which is 128+N where signal N "
      "killed it.");
  command->footer(
      "Examples:\n"
      "  weir check -- ctest --test-dir build\n"
      "  weir check --format=junit -o leaks.xml -- ./orders-tests\n"
      "  weir check --baseline=known-leaks.json --update-baseline -- ./orders-tests\n"
      "  weir check --format=json -o leaks.json -- ./orders-tests; weir leaks leaks.json "
      "--format=sarif");
  add_report_options(*command, options->report);
  // The arguments are what is left over, so that nothing is made of them: a list would take "[a,b]"
  // apart.
  command->prefix_command();
  command->add_option("command", options->program, "What to run, after --")
      ->required()
      ->type_name("COMMAND ARGS...");
  command->callback([&action, options, command] {
    options->command = {options->program};
    std::vector<std::string> rest = command->remaining();
    const bool has_mark = !rest.empty() && rest[0] == "--";  // that in front of the command
    options->command.insert(options->command.end(), rest.begin() + (has_mark ? 1 : 0), rest.end());
    action = [options] { return check(*options); };
  });
}

}  // namespace weir::tools
