// --filter, --state, --label, --package, --age, --site: which goroutines a command is about; what
// q=, state=, label=, package=, age= and site= are at the endpoint.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include <weir/profiler/filter.h>

namespace weir::tools {

struct FilterOptions {
  std::string query, states, age, site;
  std::vector<std::string> labels, packages;

  // Throws Failure, which names the option.
  profiler::Filter filter() const;
};

void add_filter_options(CLI::App& command, FilterOptions& options);

// Calls read(), which throws weir::profiler::error where an expression is none; throws a Failure
// that names the option in its place.
void name_options(const std::function<void()>& read);

// An option that is given once for each of its values.
CLI::Option* add_repeated(CLI::App& command, const std::string& name,
                          std::vector<std::string>& values, const std::string& description);

}  // namespace weir::tools
