// WEIR_LEAKCHECK: looks for goroutines that are left at the end of each weir::run, in every program
// that is linked with this library: its link options pull this file in although nothing calls it
// (see CMakeLists.txt).
//
//   WEIR_LEAKCHECK=exit|report|off off is the default, and the empty text is as not set
//   WEIR_LEAKCHECK_REPORT=FILE     and write the findings there, as JSON, schema "weir.findings/1";
//                                  %p in it is the process id, %% is %. A path that ends in a slash
//                                  is a directory, in which each process has a file of its own
//   WEIR_LEAKCHECK_IGNORE=REGEX    goroutines are left out that have a function or file on their
//                                  stack, or as their creator's, in which this (RE2's) is found
//
// exit: when main has returned, the other goroutines go on for as long as a LeakGuard would wait
// for them (500 ms where they are blocked, 5 s otherwise), then findings go to stderr. The process
// goes on to its own end, and exits with status 66 where it would have exited with 0.
//
// report: the same look, but all that comes of it is the report: nothing is printed, no test fails
// and no exit status changes, not of those that LeakGuard and install_leak_listener watch either.
// The verdict is with who reads the report: `weir check` sets it, so that a command does under its
// eyes what it does without them.
//
// Since a later run in the same process lets the goroutines of a former go on, the last one's end
// counts: for the report, which is written anew at each end, also where there are no findings, and
// for the exit status. What was printed once is not printed again. What a LeakGuard or a test has
// found is in the report under its name from then on, and not told again by the ends of runs.
//
// The report is written to a file beside it, which then takes its name: it is there as a whole or
// not at all. (FILE is looked up at that time: a program that changes its directory wants a full
// path.) A process that ends before the end of a run writes none; in a directory, its mark
// (PID-NS.running, in it the program's name) is left. Child processes have the same environment: %p
// or a directory keeps their reports apart.
#include <weir/run_hook.h>

#include <stdlib.h>

#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <weir/profiler/error.h>
#include <weir/profiler/finding.h>
#include <weir/testing.h>

#include "encode_text.h"
#include "exit_status.h"
#include "pattern.h"
#include "report.h"
#include "settle.h"

extern "C" {
// What the linker is told to look for.
extern const char weir_profiler_leak_check;
const char weir_profiler_leak_check = 1;
}

namespace weir::testing {

namespace {

constexpr const char* kSwitch = "WEIR_LEAKCHECK";
constexpr const char* kReport = "WEIR_LEAKCHECK_REPORT";
constexpr const char* kIgnore = "WEIR_LEAKCHECK_IGNORE";

struct Settings {
  bool on = false;
  bool only_report = false;
  std::string report;  // as it was given; empty: none
  std::unique_ptr<const profiler::Pattern> ignore;
};

std::string_view variable(const char* name) {
  const char* const text = getenv(name);
  return text ? text : "";
}

[[noreturn]] void refuse(const char* name, std::string_view text, std::string_view why) {
  std::string message = std::string("weir: ") + name + "=";
  profiler::encode::append_clean(message, text);
  throw std::invalid_argument(message.append(": ").append(why));
}

Settings read_settings() {
  Settings s;
  const std::string_view text = variable(kSwitch);
  if (!text.empty() && text != "off" && text != "exit" && text != "report") {
    refuse(kSwitch, text, "expected exit, report or off");
  }
  s.on = text == "exit" || text == "report";
  if (!s.on) return s;
  s.only_report = text == "report";
  s.report = variable(kReport);
  if (s.only_report && s.report.empty()) {
    refuse(kSwitch, text, std::string("wants ") + kReport + ", where the report goes");
  }
  (void)report::path_of(s.report);
  const std::string_view pattern = variable(kIgnore);
  try {
    if (!pattern.empty()) s.ignore = std::make_unique<const profiler::Pattern>(kIgnore, pattern);
  } catch (const profiler::error& e) {
    throw std::invalid_argument(std::string("weir: ") + e.what());
  }
  return s;
}

// Of the run under way, or the last one; there is one at a time.
std::mutex mu;
Settings settings;  // protected by mu

// Are there findings that were not printed at the end of a former run?
bool is_new(const Leaks& leaks) {
  static std::set<std::tuple<uint64_t, profiler::Kind, uint64_t>> printed;
  bool any = false;
  for (const profiler::Finding& f : leaks.findings.findings) {
    any |= printed.emplace(f.site, f.kind, f.count).second;
  }
  return any;
}

void begin() {
  if (settling()) return;
  Settings now = read_settings();
  if (now.on && !now.report.empty()) report::begin_run(report::path_of(now.report));
  const std::scoped_lock hold(mu);
  settings = std::move(now);
}

void end() noexcept {
  if (!settings.on || settling()) return;
  try {
    LeakOptions options;
    options.ignore_current = report::told();
    const Leaks leaks = settle({0, options, settings.ignore.get()});
    if (!settings.only_report) {
      if (is_new(leaks)) print(leaks.text());
      fail_at_exit(Watcher::run, !leaks.empty());
    }
    if (!settings.report.empty()) report::end_run(report::path_of(settings.report), leaks);
  } catch (const std::exception& e) {
    print(std::string("weir: ") + e.what() + "\n");
    if (!settings.only_report) fail_at_exit(Watcher::run, true);
  }
}

RunHooks hooks{.begin = &begin, .end = &end};

[[maybe_unused]] const bool registered = [] {
  add_run_hooks(hooks);
  return true;
}();

}  // namespace

bool report_leaks(const Leaks& leaks) noexcept {
  try {
    const std::scoped_lock hold(mu);
    if (!settings.on || settings.report.empty()) return false;
    report::add(report::path_of(settings.report), leaks);
    return settings.only_report;
  } catch (const std::exception& e) {
    print(std::string("weir: ") + e.what() + "\n");
    return false;
  }
}

}  // namespace weir::testing
