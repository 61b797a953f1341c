// weir graph: who calls whom, or who waits for whom, as a picture.

#include <memory>
#include <string>

#include <weir/profiler/call_graph.h>
#include <weir/profiler/draw.h>
#include <weir/profiler/filter.h>
#include <weir/profiler/wait_graph.h>

#include "command.h"
#include "failure.h"
#include "filter_options.h"
#include "number.h"
#include "output.h"
#include "picture.h"
#include "target.h"

namespace weir::tools {

namespace {

constexpr size_t kMaxNodes = 1000;

struct Options {
  std::string target, file, format, kind = "calls", granularity = "functions";
  profiler::CallGraphOptions graph;
  FilterOptions filter;
  FetchOptions fetch;
};

profiler::Granularity granularity_of(const std::string& name) {
  return name == "lines"       ? profiler::Granularity::lines
         : name == "addresses" ? profiler::Granularity::addresses
                               : profiler::Granularity::functions;
}

int graph(const Options& o) {
  const std::string format = picture_format(o.format, o.file);
  if (format == "png") refuse_terminal(o.file, format);
  profiler::Filter filter = o.filter.filter();
  profiler::CallGraphOptions calls = o.graph;
  calls.granularity = granularity_of(o.granularity);
  const profiler::WaitGraphOptions waits{calls.focus, calls.ignore, calls.nodecount};
  name_options([&] { profiler::call_graph({}, calls); });  // before anything is read
  profiler::Snapshot s = load(o.target, o.fetch);
  const bool is_waits = o.kind == "waits";
  filter.owners = is_waits;
  if (!filter.is_empty()) s = profiler::filter(std::move(s), filter);
  write_picture(is_waits ? profiler::dot(profiler::wait_graph(s, waits))
                         : profiler::dot(profiler::call_graph(s, calls)),
                format, o.file);
  return kClean;
}

}  // namespace

void add_graph(CLI::App& weir, Action& action) {
  const auto o = std::make_shared<Options>();
  CLI::App* const command = weir.add_subcommand(
      "graph",
      "Draw who calls whom, or who waits for whom\n"
      "calls is the picture of go tool pprof: functions on the way to where goroutines stand, by "
      "how many there are. waits leads from goroutines to the channels and locks that they wait "
      "for and on to who holds these; cycles and what can never go on are marked. Options that "
      "are pprof's mean what they mean there.");
  command->add_option("TARGET", o->target, "A URL, unix:PATH, a file, or - for stdin")->required();
  command->add_option("-o,--output", o->file, "Write there, all or nothing, and not to stdout")
      ->type_name("FILE");
  command->add_option("--kind", o->kind, "What the arrows mean")
      ->check(CLI::IsMember({"calls", "waits"}))
      ->default_str("calls");
  command
      ->add_option("--format", o->format,
                   "The format; without it what the name of FILE says (.png, .dot), else svg")
      ->check(CLI::IsMember({"svg", "png", "dot"}));
  const auto add_regex = [&](const char* name, std::string& regex, const char* description) {
    command->add_option(name, regex, description)->type_name("REGEX");
  };
  add_regex("--focus", o->graph.focus, "Only goroutines with a function or file that matches");
  add_regex("--ignore", o->graph.ignore, "No goroutines with a function or file that matches");
  add_regex("--hide", o->graph.hide, "Leave these functions out of stacks (calls)");
  add_regex("--show", o->graph.show, "Leave all other functions out of stacks (calls)");
  command->add_option("--nodecount", o->graph.nodecount, "At most so many nodes")
      ->type_name("N")
      ->check(CLI::Range(size_t{1}, kMaxNodes))
      ->default_str("80");
  const auto add_fraction = [&](const char* name, double& fraction, const char* what,
                                const char* otherwise) {
    command->add_option(name, fraction, what)
        ->type_name("F")
        ->check(number_from(0.0, 1.0))
        ->default_str(otherwise);
  };
  add_fraction("--nodefraction", o->graph.nodefraction,
               "Leave out nodes with less than this share of the goroutines (calls)", "0.005");
  add_fraction("--edgefraction", o->graph.edgefraction,
               "Leave out arrows with less than this share of the goroutines (calls)", "0.001");
  command->add_option("--granularity", o->granularity, "What a node stands for (calls)")
      ->check(CLI::IsMember({"functions", "lines", "addresses"}))
      ->default_str("functions");
  add_filter_options(*command, o->filter);
  add_fetch_options(*command, o->fetch);
  command->footer(
      "Examples:\n"
      "  weir graph http://localhost:6060 -o calls.svg\n"
      "  weir graph http://localhost:6060 --kind=waits -o waits.svg\n"
      "  weir graph dump.txt --focus=orders --granularity=lines -o lines.png\n"
      "  weir graph dump.json --format=dot | dot -Tpdf -o calls.pdf");
  command->callback([&action, o] { action = [o] { return graph(*o); }; });
}

}  // namespace weir::tools
