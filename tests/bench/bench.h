// What the C++ sides of the benchmarks share: metric lines, clocks, and the metric groups that each
// file registers by itself.
#pragma once

#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

// Prints `name value unit`. A unit that ends in "/s" is a throughput: more is better.
void metric(std::string_view name, double value, std::string_view unit);

double ns_since(Clock::time_point start);
// User and system time of this process until now, ms.
double cpu_ms();
// Bytes of a line of /proc/self/status, such as VmRSS.
double status_bytes(std::string_view key);

// How many goroutines the groups with very many have: WEIR_BENCH_MANY, default a million.
int many();

// Ends the process with exit status 1 when a benchmark computed a wrong result.
void check(bool right, const char* what);

// "name" + "_p" + procs: the same measurement with another number of processors.
std::string at_procs(std::string_view name, int procs);

// One group of metrics. A group is chosen by its name on the command line and may set up the
// scheduler as it likes.
struct Group {
  const char* name;
  void (*run)();
};

// Makes the groups of one file known, when defined at namespace scope.
class Groups {
 public:
  Groups(std::initializer_list<Group> groups);
};

// The groups that the command line names, all without arguments. `--list` prints their names and
// ends the process; so does an unknown name, with exit status 2.
std::vector<Group> chosen(int argc, char** argv);

}  // namespace bench
