// Mutex: by one fiber, and by eight that contend for it.

#include <mutex>
#include <vector>

#include "../bench.h"
#include "fibers.h"

namespace {

using bench::Clock;
namespace fibers = boost::fibers;

// Each fiber locks, counts and unlocks n / fibers times. ns of all n.
double mutex_round(int many, int n) {
  fibers::mutex mu;
  int count = 0;  // guarded by mu
  std::vector<fibers::fiber> alive;
  auto start = Clock::now();
  for (int g = 0; g < many; g++) {
    alive.push_back(bench::start([&, times = n / many] {
      for (int i = 0; i < times; i++) {
        std::scoped_lock hold(mu);
        count++;
      }
    }));
  }
  for (auto& f : alive) f.join();
  double took = bench::ns_since(start);
  bench::check(count == n, "mutex: the count that it guards");
  return took;
}

void bench_mutex(std::string_view name, int procs, int many) {
  bench::with_procs(procs, [=] {
    constexpr int kTimes = 20'000'000;
    mutex_round(many, kTimes / 20);
    bench::metric(name, mutex_round(many, kTimes) / kTimes, "ns/lock");
  });
}

const bench::Groups kGroups{
    {"mutex_uncontended", [] { bench_mutex("mutex_uncontended", 1, 1); }},
    {"mutex_contended_p1", [] { bench_mutex("mutex_contended_p1", 1, 8); }},
    {"mutex_contended_p2", [] { bench_mutex("mutex_contended_p2", 2, 8); }},
};

}  // namespace
