#include "bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace bench {

namespace {

std::vector<Group>& all_groups() {
  static std::vector<Group> groups;
  return groups;
}

}  // namespace

void metric(std::string_view name, double value, std::string_view unit) {
  std::printf("%.*s %.3f %.*s\n", static_cast<int>(name.size()), name.data(), value,
              static_cast<int>(unit.size()), unit.data());
  std::fflush(stdout);
}

double ns_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

double cpu_ms() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

double status_bytes(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':') {
      return std::strtod(line.c_str() + key.size() + 1, nullptr) * 1024;
    }
  }
  return 0;
}

int many() {
  const char* text = std::getenv("WEIR_BENCH_MANY");
  int n = text ? std::atoi(text) : 0;
  return n > 0 ? n : 1'000'000;
}

void check(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "bench: wrong result: %s\n", what);
  std::fflush(stderr);
  std::_Exit(1);
}

std::string at_procs(std::string_view name, int procs) {
  return std::string(name) + "_p" + std::to_string(procs);
}

Groups::Groups(std::initializer_list<Group> groups) {
  all_groups().insert(all_groups().end(), groups);
}

std::vector<Group> chosen(int argc, char** argv) {
  const std::vector<Group>& all = all_groups();
  if (argc == 1) return all;
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    for (const Group& group : all) std::printf("%s\n", group.name);
    std::exit(0);
  }
  std::vector<Group> named;
  for (int i = 1; i < argc; i++) {
    auto found = std::find_if(all.begin(), all.end(), [&](const Group& group) {
      return std::string_view(group.name) == argv[i];
    });
    if (found == all.end()) {
      std::fprintf(stderr, "%s: no such metric group: %s (see --list)\n", argv[0], argv[i]);
      std::exit(2);
    }
    named.push_back(*found);
  }
  return named;
}

}  // namespace bench
