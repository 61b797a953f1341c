// weir diff: what changed between two targets, for people, programs and pull requests.

#include <limits.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <weir/profiler/call_graph.h>
#include <weir/profiler/diff.h>
#include <weir/profiler/draw.h>
#include <weir/profiler/filter.h>

#include "command.h"
#include "failure.h"
#include "filter_options.h"
#include "output.h"
#include "picture.h"
#include "target.h"

namespace weir::tools {

namespace {

struct Options {
  std::string old, now, file, format = "text", fail_on = "growth", granularity = "lines";
  profiler::DiffOptions diff;
  profiler::DiffStyle style;
  FilterOptions filter;
  FetchOptions fetch;
};

// One expression that is found where any of them is.
std::string any_of(const std::vector<std::string>& expressions) {
  std::string all;
  for (const std::string& e : expressions) all += (all.empty() ? "(?:" : "|(?:") + e + ")";
  return all;
}

std::string picture_of(const profiler::Snapshot& old, const profiler::Snapshot& now,
                       const Options& o) {
  profiler::CallGraphOptions options;
  name_options([&] {
    options.ignore = any_of(o.diff.ignore);
    profiler::call_graph({}, options);
  });
  if (o.granularity == "lines") options.granularity = profiler::Granularity::lines;
  return profiler::dot(profiler::call_graph_difference(old, now, options));
}

std::string working_directory() {
  std::error_code none;
  return std::filesystem::current_path(none).string();
}

profiler::DiffStyle style_of(const Options& o) {
  profiler::DiffStyle style = o.style;
  if (style.source_root.empty()) style.source_root = working_directory();
  style.is_source = [root = style.source_root](const std::string& file) {
    std::error_code none;
    return std::filesystem::is_regular_file(root + "/" + file, none);
  };
  const bool to_stdout = o.file.empty() || o.file == "-";
  style.colour = to_stdout && use_colour(STDOUT_FILENO);
  style.links = style.colour;
  char host[HOST_NAME_MAX + 1] = "";
  if (style.links && gethostname(host, sizeof host - 1) == 0) style.host = host;
  return style;
}

int diff(const Options& o) {
  if (o.old == "-" && o.now == "-") throw Failure("-", "stdin cannot be both OLD and NEW");
  const profiler::Filter filter = o.filter.filter();
  name_options([&] { profiler::diff({}, {}, o.diff); });  // before anything is read
  std::vector<profiler::Snapshot> both = load_all({o.old, o.now}, o.fetch);
  if (!filter.is_empty()) {
    for (profiler::Snapshot& s : both) s = profiler::filter(std::move(s), filter);
  }
  const profiler::Snapshot &old = both[0], &now = both[1];
  profiler::DiffOptions options = o.diff;
  options.lines = o.granularity == "lines";
  const profiler::Diff d = profiler::diff(old, now, options);
  if (o.format == "dot" || o.format == "svg") {
    write_picture(picture_of(old, now, o), o.format, o.file);
  } else {
    write_output(o.file, [&](const profiler::Sink& sink) {
      if (o.format == "json") {
        profiler::write_diff_json(d, sink);
      } else if (o.format == "markdown") {
        profiler::write_diff_markdown(d, sink, style_of(o));
      } else {
        profiler::write_diff_text(d, sink, style_of(o));
      }
    });
  }
  const profiler::FailOn fail_on = o.fail_on == "growth" ? profiler::FailOn::growth
                                   : o.fail_on == "new"  ? profiler::FailOn::fresh
                                                         : profiler::FailOn::none;
  return profiler::fails(d, fail_on) ? kFound : kClean;
}

}  // namespace

void add_diff(CLI::App& weir, Action& action) {
  const auto o = std::make_shared<Options>();
  CLI::App* const command = weir.add_subcommand(
      "diff",
      "Show what changed between two targets: what grew first\n"
      "Goroutines are compared in groups: the same functions and lines on the stack, the same "
      "wait, "
      "the same creator, where both sides tell these. Of stacks those frames are shown that differ "
      "from other stacks; file:line is a link where the terminal knows links, and is relative to "
      "--source-root. svg and dot are the difference of the call graphs (weir graph).\n"
      "\n"
      "The exit status is 1 where --fail-on finds something, for scripts and CI; --fail-on=none "
      "only shows.");
  command->add_option("OLD", o->old, "The side before: a URL, unix:PATH, a file, or -")->required();
  command->add_option("NEW", o->now, "The side after")->required();
  command->add_option("--format", o->format, "The format; markdown is for a pull request's comment")
      ->check(CLI::IsMember({"text", "json", "markdown", "dot", "svg"}))
      ->default_str("text");
  command->add_option("-o,--output", o->file, "Write there, all or nothing, and not to stdout")
      ->type_name("FILE");
  add_repeated(*command, "--ignore", o->diff.ignore,
               "Leave out groups with a function or file, or a creator, that matches")
      ->type_name("REGEX");
  command
      ->add_option("--threshold", o->diff.threshold,
                   "Changes by fewer goroutines count as unchanged")
      ->type_name("N")
      ->default_str("1");
  command
      ->add_option("--fail-on", o->fail_on, "What makes the exit status 1: growth (new too), new")
      ->check(CLI::IsMember({"growth", "new", "none"}))
      ->default_str("growth");
  command
      ->add_option("--granularity", o->granularity,
                   "functions: lines of one function are alike, for two builds of a program")
      ->check(CLI::IsMember({"lines", "functions"}))
      ->default_str("lines");
  command->add_flag("--labels", o->diff.labels, "Tell goroutines with other labels apart");
  command->add_flag("--full", o->style.full_stacks, "Show whole stacks");
  command
      ->add_option("--link-base", o->style.link_base,
                   "Where the sources can be read; makes file:line a link there, in markdown too: "
                   "https://github.com/you/project/blob/main")
      ->type_name("URL")
      ->check([](const std::string& url) {
        const bool is_url = url.starts_with("http://") || url.starts_with("https://");
        return is_url ? "" : "expected a URL, http:// or https://";
      });
  command
      ->add_option("--source-root", o->style.source_root,
                   "Files below it are shown, and linked, without it; default: where you are")
      ->type_name("DIR");
  add_filter_options(*command, o->filter);
  add_fetch_options(*command, o->fetch);
  command->footer(
      "Examples:\n"
      "  weir diff before.json http://localhost:6060\n"
      "  weir diff old.pb.gz new.pb.gz --granularity=functions --threshold=10\n"
      "  weir diff main.txt branch.txt --format=markdown --fail-on=none -o comment.md\n"
      "  weir diff before.json after.json --format=svg -o diff.svg");
  command->callback([&action, o] { action = [o] { return diff(*o); }; });
}

}  // namespace weir::tools
