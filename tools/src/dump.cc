// weir dump: the goroutines of a target, in any of the formats.

#include <array>
#include <climits>
#include <memory>
#include <string>
#include <string_view>

#include <weir/profiler/encode.h>
#include <weir/profiler/filter.h>
#include <weir/profiler/post_mortem.h>

#include "command.h"
#include "failure.h"
#include "filter_options.h"
#include "output.h"
#include "printable.h"
#include "target.h"

namespace weir::tools {

namespace {

struct Format {
  const char* name;
  bool (*write)(const profiler::Snapshot&, const profiler::Sink&);
  bool is_binary;
};
constexpr std::array kFormats = {
    Format{"pprof", profiler::write_pprof, true},
    Format{"pprof3", profiler::write_pprof3, true},
    Format{"debug1", profiler::write_debug1, false},
    Format{"debug2", profiler::write_debug2, false},
    Format{"json", profiler::write_json, false},
};

struct Options {
  std::string target, file, format;
  std::string core, exe;
  int pid = 0;
  FilterOptions filter;
  FetchOptions fetch;
};

// The one that was asked for; else what the file's name says; else text.
const Format& format_of(const Options& o) {
  const std::string_view file = o.file;
  const bool is_pprof =
      file.ends_with(".pb.gz") || file.ends_with(".pb") || file.ends_with(".pprof");
  const std::string_view name = !o.format.empty()         ? std::string_view(o.format)
                                : is_pprof                ? "pprof"
                                : file.ends_with(".json") ? "json"
                                                          : "debug2";
  for (const Format& f : kFormats) {
    if (f.name == name) return f;
  }
  throw Failure("--format", "no such format");
}

// What was read from memory is not passed on in silence where it is not all of it.
profiler::Snapshot whole(profiler::Snapshot s, const std::string& of) {
  constexpr const char* kCut =
      "the core lacks memory of goroutines: it was cut off, or gdb's gcore wrote it on Linux 6.13 "
      "or later (weir-gcore in gdb writes all)";
  if (s.truncated && s.groups.empty()) throw Failure(of, kCut);
  if (s.truncated) {
    complain(of + ": note: " + kCut + "; there were more goroutines than these");
  } else if (s.groups.empty()) {
    complain(of + ": note: it has no goroutines: weir::run has not begun, or has ended");
  }
  return s;
}

// Of exactly one of TARGET, --core and --pid.
profiler::Snapshot take(const Options& o) {
  if (!o.exe.empty() && o.core.empty()) throw Failure("--exe", "it goes with --core");
  const int given = (o.target.empty() ? 0 : 1) + (o.core.empty() ? 0 : 1) + (o.pid != 0 ? 1 : 0);
  if (given != 1) throw Failure("dump", "name one of TARGET, --core and --pid");
  if (!o.core.empty()) return whole(profiler::read_core(o.core, o.exe), o.core);
  if (o.pid != 0) return whole(profiler::read_process(o.pid), "process " + std::to_string(o.pid));
  return load(o.target, o.fetch);
}

int dump(const Options& o) {
  const Format& format = format_of(o);
  if (format.is_binary) refuse_terminal(o.file, format.name);
  const profiler::Filter filter = o.filter.filter();
  profiler::Snapshot s = take(o);
  if (!filter.is_empty()) {
    s = profiler::filter(std::move(s), filter);
    // What is written may be empty, which looks like a fault.
    if (s.groups.empty() && s.left_out > 0) {
      complain("note: no goroutine passes the filter: " + std::to_string(s.left_out) +
               " are left out");
    }
  }
  write_output(o.file, [&](const profiler::Sink& sink) { format.write(s, sink); });
  return kClean;
}

}  // namespace

void add_dump(CLI::App& weir, Action& action) {
  const auto o = std::make_shared<Options>();
  CLI::App* const command = weir.add_subcommand(
      "dump",
      "Write the goroutines of a target, in the format that is wanted\n"
      "Formats: debug2 is the text of a Go panic, each goroutine with its stack; debug1 is text "
      "with a count for each stack; pprof is for go tool pprof, with a sample for each stack, "
      "pprof3 with one for each goroutine; json has all that is known, and is the one to keep "
      "for weir diff. A dump converts from each to each; what one does not hold is gone.");
  command->add_option("TARGET", o->target, "A URL, unix:PATH, a file, or - for stdin");
  command->add_option("--core", o->core, "Read this core file of a weir program, without gdb")
      ->type_name("CORE");
  command
      ->add_option("--exe", o->exe, "The program that CORE is of; without it the one that it names")
      ->type_name("PROG");
  command
      ->add_option(
          "--pid", o->pid,
          "Read this running weir process, which need not serve anything; needs the rights "
          "of a debugger")
      ->type_name("PID")
      ->check(CLI::Range(1, INT_MAX));
  command->add_option("-o,--output", o->file, "Write there, all or nothing, and not to stdout")
      ->type_name("FILE");
  command
      ->add_option("--format", o->format,
                   "The format; without it what the name of FILE says (.pb.gz, .pprof, .json), "
                   "else debug2")
      ->check(CLI::IsMember({"pprof", "pprof3", "debug1", "debug2", "json"}));
  add_filter_options(*command, o->filter);
  add_fetch_options(*command, o->fetch);
  command->footer(
      "Examples:\n"
      "  weir dump http://localhost:6060\n"
      "  weir dump unix:/run/orders.sock --state=\"chan receive\"\n"
      "  weir dump http://localhost:6060 -o before.json\n"
      "  weir dump panic.txt --format=debug1\n"
      "  weir dump --core core.1234 --exe ./orders\n"
      "  weir dump --pid 1234 -o now.json\n"
      "  weir dump http://localhost:6060 --format=pprof | go tool pprof -top /dev/stdin");
  command->callback([&action, o] { action = [o] { return dump(*o); }; });
}

}  // namespace weir::tools
