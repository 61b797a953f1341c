#include "process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

namespace weir::http {

namespace {

std::optional<double> cpu_seconds() {
  timespec t;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0) return std::nullopt;
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// The time that the machine started, from /proc/stat.
std::optional<double> boot_seconds() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return std::nullopt;
}

// Field 22 of /proc/self/stat, in clock ticks since then. The second field, a name in parentheses,
// may hold anything.
std::optional<double> start_seconds() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  double ticks = 0;
  const std::optional<double> boot = boot_seconds();
  if (!(fields >> ticks) || !boot) return std::nullopt;
  return *boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void read_memory(ProcessStats& s) {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;  // pages
  if (!(file >> total >> resident)) return;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  s.virtual_bytes = total * page;
  s.resident_bytes = resident * page;
}

std::optional<uint64_t> open_fds() {
  std::error_code failed;
  std::filesystem::directory_iterator at("/proc/self/fd", failed);
  uint64_t n = 0;
  while (!failed && at != std::filesystem::directory_iterator()) {
    ++n;
    at.increment(failed);
  }
  if (failed || n == 0) return std::nullopt;
  return n - 1;  // one is of this look
}

}  // namespace

ProcessStats process_stats() {
  ProcessStats s;
  s.cpu_seconds = cpu_seconds();
  s.start_seconds = start_seconds();
  read_memory(s);
  s.open_fds = open_fds();
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) s.max_fds = limit.rlim_cur;
  return s;
}

}  // namespace weir::http
