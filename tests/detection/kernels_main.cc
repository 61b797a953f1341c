// weir-detect-kernels: how good the detectors are at programs whose leaks are known (kernels.h).
// Prints Markdown. Exit status 0: as good as they should be; 1: not (kernels_report.h); 2: usage.
//
//   weir-detect-kernels                       all of them
//   weir-detect-kernels --only=ncast,ab_ba    some, by name
//   weir-detect-kernels --list
//
// Each kernel runs in a process of its own, this program with --kernel=NAME. The seed decides about
// the order, the number of requests in each round, and unusual choices of the scheduler.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "kernels.h"
#include "kernels_report.h"
#include "kernels_run.h"

extern char** environ;

namespace {

using kernels::Family, kernels::Kernel, kernels::Result;

constexpr unsigned kTooLong = 120;  // seconds, for a kernel; it takes one where nothing else runs

const std::vector<Family>& families() {
  static const std::vector<Family> all = {kernels::send(),
                                          kernels::receive(),
                                          kernels::select(),
                                          kernels::mutex(),
                                          kernels::rwmutex(),
                                          kernels::wait(),
                                          kernels::context(),
                                          kernels::mixed(),
                                          kernels::time(),
                                          kernels::io(),
                                          kernels::healthy_channels(),
                                          kernels::healthy_sync(),
                                          kernels::healthy_services(),
                                          kernels::tempting()};
  return all;
}

const Kernel* kernel_named(const std::string& name) {
  for (const Family& f : families()) {
    for (const Kernel& k : f.kernels) {
      if (k.name == name) return &k;
    }
  }
  return nullptr;
}

void list() {
  for (const Family& f : families()) {
    std::printf("%s\n", std::string(f.name).c_str());
    for (const Kernel& k : f.kernels) {
      std::printf("  %-24s %s\n", std::string(k.name).c_str(), std::string(k.what).c_str());
    }
  }
}

void check(int error, const char* what) {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

// What this program prints with --kernel.
std::string output_of(const Kernel& k, uint64_t seed) {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) check(errno, "pipe2");
  posix_spawn_file_actions_t actions;
  check(posix_spawn_file_actions_init(&actions), "posix_spawn");
  check(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), "posix_spawn");
  std::string program = "weir-detect-kernels", kernel = "--kernel=" + std::string(k.name),
              with_seed = "--seed=" + std::to_string(seed);
  std::array<char*, 4> args = {program.data(), kernel.data(), with_seed.data(), nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string out;
  if (error == 0) {
    std::array<char, 4096> buffer;
    for (ssize_t n; (n = ::read(ends[0], buffer.data(), buffer.size())) != 0;) {
      if (n > 0) {
        out.append(buffer.data(), static_cast<size_t>(n));
      } else if (errno != EINTR) {
        break;
      }
    }
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(ends[0]);
  check(error, "posix_spawn");
  return out;
}

void run_apart(Result& r, uint64_t seed) {
  const std::string out = output_of(*r.kernel, seed);
  for (size_t at = 0, end; (end = out.find('\n', at)) != std::string::npos; at = end + 1) {
    if (auto round = kernels::parse_round(std::string_view(out).substr(at, end - at))) {
      r.rounds.push_back(std::move(*round));
    }
  }
}

// `jobs` at once, in an order of the seed's.
void run_all(std::vector<Result>& results, unsigned jobs, uint64_t seed) {
  std::vector<Result*> order;
  for (Result& r : results) order.push_back(&r);
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  std::atomic<size_t> next{0};
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < jobs; ++i) {
    threads.emplace_back([&] {
      for (size_t at; (at = next++) < order.size();) run_apart(*order[at], seed + at);
    });
  }
}

[[noreturn]] void usage_error(const std::string& what) {
  std::fprintf(stderr, "weir-detect-kernels: %s\n", what.c_str());
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures the detectors by programs whose leaks are known.", "weir-detect-kernels");
  std::vector<std::string> only;
  std::string one;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  uint64_t seed = 1;
  bool want_list = false;
  app.add_option("--only", only, "names of --list, separated by commas")->delimiter(',');
  app.add_option("--jobs", jobs, "kernels at once")->check(CLI::Range(1U, 256U));
  app.add_option("--seed", seed, "of all that is left to chance")->capture_default_str();
  app.add_flag("--list", want_list, "list the kernels");
  app.add_option("--kernel", one, "run this one here, and print what is found in each round");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    usage_error(e.what());
  }
  if (want_list) {
    list();
    return 0;
  }
  if (!one.empty()) {
    const Kernel* k = kernel_named(one);
    if (!k) usage_error("no kernel is named " + one + " (see --list)");
    ::alarm(kTooLong);
    kernels::run(*k, seed);
  }
  for (const std::string& name : only) {
    if (!kernel_named(name)) usage_error("no kernel is named " + name + " (see --list)");
  }
  std::vector<Result> results;
  for (const Family& f : families()) {
    for (const Kernel& k : f.kernels) {
      const bool wanted = only.empty() || std::find(only.begin(), only.end(), k.name) != only.end();
      if (wanted) results.push_back({std::string(f.name), &k, {}});
    }
  }
  run_all(results, jobs, seed);
  const kernels::Report report = kernels::report(results, seed);
  std::fputs(report.markdown.c_str(), stdout);
  return report.good ? 0 : 1;
}
