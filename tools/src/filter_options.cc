#include "filter_options.h"

#include <weir/profiler/error.h>

#include "failure.h"

namespace weir::tools {

profiler::Filter FilterOptions::filter() const {
  profiler::Filter filter;
  name_options([&] {
    filter = profiler::parse_filter({.query = query,
                                     .states = states,
                                     .labels = labels,
                                     .packages = packages,
                                     .age = age,
                                     .site = site});
  });
  return filter;
}

void name_options(const std::function<void()>& read) {
  try {
    read();
  } catch (const profiler::error& e) {
    // 'invalid value for "ignore": why', after the endpoint's parameters.
    constexpr std::string_view kHead = "invalid value for \"";
    const std::string text = e.what();
    const size_t end = text.find("\": ");
    if (!text.starts_with(kHead) || end == text.npos) throw;
    const std::string name = text.substr(kHead.size(), end - kHead.size());
    throw Failure(name == "q" ? "--filter" : "--" + name, text.substr(end + 3));
  }
}

void add_filter_options(CLI::App& command, FilterOptions& options) {
  command
      .add_option("--filter", options.query,
                  "Only goroutines with this in what dumps show of them: a function, file:line, "
                  "wait reason, name or label; text or a regular expression, in whatever case")
      ->type_name("TEXT");
  command
      .add_option("--state", options.states,
                  "Only goroutines in these states or waits, separated by commas: running, "
                  "\"chan receive\"")
      ->type_name("STATES");
  add_repeated(command, "--label", options.labels, "Only goroutines with this label")
      ->type_name("KEY[=VALUE]");
  add_repeated(command, "--package", options.packages,
               "Only goroutines that are stuck in, or were made by, this Go package or C++ "
               "namespace, or one below it")
      ->type_name("NAME");
  command
      .add_option("--age", options.age, "Only groups in which one has waited so long, or longer")
      ->type_name("SECONDS");
  command.add_option("--site", options.site, "Only the goroutines of this finding or trend")
      ->type_name("0xID");
}

CLI::Option* add_repeated(CLI::App& command, const std::string& name,
                          std::vector<std::string>& values, const std::string& description) {
  // Without the first a value would take the arguments behind it too.
  return command.add_option(name, values, description)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

}  // namespace weir::tools
