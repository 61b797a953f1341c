// The cost of History (histories_cost.h). Waits are seconds to hours long, a tenth of the
// goroutines is replaced from sample to sample.
#include "histories_cost.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/detector.h>
#include <weir/profiler/history.h>
#include <weir/profiler/sites.h>

#include "histories.h"
#include "snapshot_builder.h"

namespace weir::detection {

namespace {

using profiler::Group;
using profiler::History;
using profiler::Member;
using profiler::Sites;
using profiler::Snapshot;

constexpr uint64_t kGroups = 10'000, kGoroutines = 1'000'000, kSamples = 60;
constexpr int64_t kInterval_ns = 10'000'000'000;

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

// Of this thread: other programs on the machine do not count.
double cpu_ms() {
  std::timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// As captures do.
void sum_waits(Group& g) {
  g.wait_ns = 0;
  g.oldest_ns = -1;
  for (const Member& m : g.members) {
    g.wait_ns += m.since_ns;
    g.oldest_ns = std::max(g.oldest_ns, m.since_ns);
  }
}

Snapshot first_snapshot(Random& r) {
  profiler::testing::SnapshotBuilder b;
  uint64_t goid = 1;
  for (uint64_t i = 0; i < kGroups; ++i) {
    const uint32_t call =
        b.call(0x1000 + 16 * i, "svc::handle", "handle.cc", static_cast<int>(i), 0);
    Group& g = b.group(b.stack({call}), "chan receive", {});
    g.count = kGoroutines / kGroups;
    for (uint64_t k = 0; k < g.count; ++k) {
      Member& m = g.members.emplace_back();
      m.goid = goid++;
      m.since_ns = static_cast<int64_t>(log_uniform(r, 1, 100'000) * 1e9);
    }
    sum_waits(g);
  }
  return std::move(b.snapshot);
}

// Ten seconds later.
void go_on(Snapshot& s, Random& r, uint64_t& next_goid) {
  s.taken_at_ns += kInterval_ns;
  for (Group& g : s.groups) {
    std::erase_if(g.members, [&r](const Member&) { return uniform(r, 0, 1) < 0.1; });
    for (Member& m : g.members) m.since_ns += kInterval_ns;
    while (g.members.size() < g.count) {
      Member& m = g.members.emplace_back();
      m.goid = next_goid++;
      m.since_ns = static_cast<int64_t>(uniform(r, 0, 10) * 1e9);
    }
    sum_waits(g);
  }
}

}  // namespace

int print_cost() {
  Random random(1);
  Snapshot s = first_snapshot(random);
  uint64_t next_goid = kGoroutines + 1;
  {
    const Sites warm(s);  // so that the snapshot's own memory is there before
  }
  const uint64_t before = resident_bytes();
  std::vector<double> siting, adding, asking, observing;
  uint64_t bytes = 0, after = 0;
  {
    History history;
    for (uint64_t i = 0; i < kSamples; ++i) {
      const double start = cpu_ms();
      const Sites sites(s);
      const double sited = cpu_ms();
      history.add(s, sites, static_cast<int64_t>(i + 1) * kInterval_ns);
      const double added = cpu_ms();
      (void)history.growths();
      const double asked = cpu_ms();
      siting.push_back(sited - start);
      adding.push_back(added - sited);
      asking.push_back(asked - added);
      go_on(s, random, next_goid);
    }
    bytes = history.bytes();
    after = resident_bytes();
  }
  profiler::Detector detector;
  for (uint64_t i = 0; i < kSamples; ++i) {
    const double start = cpu_ms();
    detector.observe(s, static_cast<int64_t>(i + 1) * kInterval_ns);
    observing.push_back(cpu_ms() - start);
    go_on(s, random, next_goid);
  }
  const auto print = [](const char* what, std::vector<double> times) {
    const double first = times.front();
    std::sort(times.begin(), times.end());
    std::printf("%s: first %.1f ms, median %.1f ms, worst %.1f ms of processor time\n", what, first,
                times[times.size() / 2], times.back());
  };
  std::printf(
      "%llu groups, %llu goroutines, %llu samples\n", static_cast<unsigned long long>(kGroups),
      static_cast<unsigned long long>(kGoroutines), static_cast<unsigned long long>(kSamples));
  print("Sites", siting);
  print("History::add", adding);
  print("History::growths", asking);
  print("Detector::observe, all of these and the causes", observing);
  std::printf("History::bytes(): %.1f MiB; the process has grown by %.1f MiB\n",
              static_cast<double>(bytes) / 1048576,
              static_cast<double>(after - std::min(before, after)) / 1048576);
  return 0;
}

}  // namespace weir::detection
