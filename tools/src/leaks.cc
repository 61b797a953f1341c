// weir leaks: what the detectors say of running programs and of dumps.
//
// A weir endpoint is asked for its findings: it has a history of its own. Of others (Go programs)
// dumps are taken, --count of them every --interval, and judged here. A file is a dump, which is
// judged by itself, or findings as JSON (WEIR_LEAKCHECK_REPORT, /debug/leaks?format=json, --format
// =json of this command), which are reported as they are, in whatever format.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/profiler/detector.h>
#include <weir/profiler/parse.h>
#include <weir/profiler/report.h>

#include "command.h"
#include "failure.h"
#include "number.h"
#include "output.h"
#include "printable.h"
#include "progress.h"
#include "reporting.h"
#include "target.h"

namespace weir::tools {

namespace {

using profiler::Findings;
using profiler::Report;
using Clock = std::chrono::steady_clock;

constexpr size_t kMaxThreads = 32;

struct LeaksOptions {
  ReportOptions report;
  FetchOptions fetch;
  std::vector<std::string> targets;
  double interval = 5;  // s
  size_t count = 12;
};

// The dumps of one program over time.
Findings sample(const std::string& target, const LeaksOptions& o) {
  Progress progress("watching " + printable(target));
  profiler::Detector detector;
  const auto begin = Clock::now();
  const std::chrono::duration<double> interval(o.interval);
  for (size_t i = 0; i < o.count; ++i) {
    std::this_thread::sleep_until(begin +
                                  std::chrono::duration_cast<Clock::duration>(interval * i));
    const profiler::Snapshot snapshot = load(target, o.fetch);
    detector.observe(snapshot, std::chrono::nanoseconds(Clock::now() - begin).count());
    progress.say(std::to_string(i + 1) + " of " + std::to_string(o.count));
  }
  return detector.findings();
}

Report ask(const std::string& target, const LeaksOptions& o) {
  Report report;
  try {
    report = profiler::parse_report(get(target, "/debug/leaks?format=json", o.fetch));
  } catch (const std::exception&) {
    // Not weir's; whatever else is wrong with it, the first dump tells.
    report.all.push_back(sample(target, o));
  }
  for (Findings& f : report.all) f.target = target;
  return report;
}

Report read(const std::string& target, const LeaksOptions& o) {
  const std::string bytes = fetch(target, o.fetch);
  try {
    Report report;
    if (profiler::looks_like_report(bytes)) {
      report = profiler::parse_report(bytes);
    } else {
      const profiler::Snapshot s = parse_dump(target, bytes, o.fetch);
      report.all.push_back(profiler::detect(s));
      report.all.back().target = target;
      report.complete = !s.truncated;
    }
    for (Findings& f : report.all) {
      if (f.target.empty()) f.target = target;
    }
    return report;
  } catch (const profiler::ParseError& e) {
    throw Failure(target, e.what());
  }
}

// What each target has, or why it could not be had.
struct Answer {
  Report report;
  std::exception_ptr failure;
};

std::vector<Answer> look_at(const LeaksOptions& o) {
  std::vector<Answer> answers(o.targets.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i; (i = next++) < answers.size();) {
      const std::string& target = o.targets[i];
      try {
        answers[i].report = is_endpoint(target) ? ask(target, o) : read(target, o);
      } catch (...) {
        answers[i].failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  while (threads.size() + 1 < std::min(answers.size(), kMaxThreads)) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();
  return answers;
}

int leaks(const LeaksOptions& o) {
  if (std::ranges::count(o.targets, "-") > 1) throw Failure("-", "stdin can be read once only");
  const Reporting reporting(o.report);
  std::vector<Answer> answers = look_at(o);
  Report report;
  std::vector<std::string> failures;
  for (Answer& a : answers) {
    try {
      if (a.failure) std::rethrow_exception(a.failure);
      for (Findings& f : a.report.all) report.all.push_back(std::move(f));
      for (std::string& note : a.report.notes) report.notes.push_back(std::move(note));
      report.complete &= a.report.complete;
      report.baseline |= a.report.baseline;
    } catch (const Failure& e) {
      failures.emplace_back(e.what());
    }
  }
  for (const std::string& why : failures) {
    complain(why);
    report.notes.push_back("Not looked at: " + why + ".");
  }
  if (failures.size() == answers.size()) return kFailed;
  if (!failures.empty()) report.complete = false;
  const Verdict verdict = reporting.judge(report, report.complete);
  if (o.report.format == "json" && report.all.size() == 1 && failures.empty()) {
    for (std::string& note : report.notes) report.all[0].notes.push_back(std::move(note));
    write_output(o.report.output, [&report](const profiler::Sink& sink) {
      profiler::write_findings_json(report.all[0], sink);
    });
  } else {
    reporting.write(report);
  }
  if (!failures.empty()) return kFailed;
  if (verdict.fresh > 0) return kFound;
  return report.complete ? kClean : kFailed;  // in the half that is missing there may be leaks
}

}  // namespace

void add_leaks(CLI::App& weir, Action& action) {
  const auto options = std::make_shared<LeaksOptions>();
  CLI::App* command = weir.add_subcommand(
      "leaks",
      "Find leaked goroutines in running programs and dumps\n"
      "A weir program is asked for what it has found, with its history. A Go program is watched "
      "for "
      "COUNT dumps. A file is a dump, or findings as JSON, as WEIR_LEAKCHECK_REPORT and "
      "--format=json write them.\n"
      "\n"
      "--format=json is weir.findings/1 for one process, weir.reports/1 for several.\n"
      "\n"
      "Exit status: 0 where nothing was found, 1 where there are leaks (other than known ones), 2 "
      "where a target could not be looked at, or was a dump that was cut off, with no leak in what "
      "is left of it.");
  command->footer(
      "Examples:\n"
      "  weir leaks http://localhost:6060\n"
      "  weir leaks --interval=10s --count=30 http://go1:6060 http://go2:6060\n"
      "  weir leaks --min-certainty=likely --format=github dump.json");
  command
      ->add_option("target", options->targets,
                   "URL, unix:PATH, file, or - for stdin; several are looked at at once")
      ->required()
      ->type_name("TARGET");
  command->add_option("--interval", options->interval, "Between two dumps of a Go program")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, double>{{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}}))
      ->check(number_from(0.001, 86400.0))
      ->type_name("TIME")
      ->default_str("5s");
  command->add_option("--count", options->count, "Dumps that are taken of a Go program")
      ->check(CLI::Range(size_t{1}, size_t{1'000'000}))
      ->capture_default_str();
  add_fetch_options(*command, options->fetch);
  add_report_options(*command, options->report);
  command->callback([&action, options] { action = [options] { return leaks(*options); }; });
}

}  // namespace weir::tools
