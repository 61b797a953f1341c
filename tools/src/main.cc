// weir: the command.

#include <cstdio>
#include <exception>
#include <new>

#include <weir/profiler/error.h>
#include <weir/profiler/parse.h>

#include "command.h"
#include "failure.h"

int main(int argc, char** argv) {
  using namespace weir::tools;
  CLI::App weir("Goroutines of weir and Go programs: dump, compare, draw, find leaks.", "weir");
  weir.set_version_flag("--version", "weir " WEIR_VERSION);
  weir.require_subcommand(1);
  Action action;
  add_dump(weir, action);
  add_diff(weir, action);
  add_graph(weir, action);
  add_leaks(weir, action);
  add_check(weir, action);
  add_top(weir, action);
  try {
    weir.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return weir.exit(e);  // --help, --version
    std::fprintf(stderr, "weir: %s; see weir --help\n", e.what());
    return kFailed;
  }
  try {
    return action();
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "weir: out of memory\n");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "weir: %s\n", e.what());
  }
  return kFailed;
}
