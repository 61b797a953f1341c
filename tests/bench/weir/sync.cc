// Mutex: by one goroutine, and by eight that contend for it.

#include <mutex>

#include <weir/weir.h>

#include "../bench.h"

namespace {

using bench::Clock;

// Each goroutine locks, counts and unlocks n / goroutines times. ns of all n.
double mutex_round(int goroutines, int n) {
  weir::Mutex mu;
  int count = 0;  // guarded by mu
  weir::WaitGroup wg;
  auto start = Clock::now();
  for (int g = 0; g < goroutines; g++) {
    wg.go([&] {
      for (int i = 0; i < n / goroutines; i++) {
        std::scoped_lock hold(mu);
        count++;
      }
    });
  }
  wg.wait();
  double took = bench::ns_since(start);
  bench::check(count == n, "mutex: the count that it guards");
  return took;
}

void bench_mutex(std::string_view name, int procs, int goroutines) {
  weir::gomaxprocs(procs);
  constexpr int kTimes = 40'000'000;
  mutex_round(goroutines, kTimes / 20);
  bench::metric(name, mutex_round(goroutines, kTimes) / kTimes, "ns/lock");
}

const bench::Groups kGroups{
    {"mutex_uncontended", [] { bench_mutex("mutex_uncontended", 1, 1); }},
    {"mutex_contended_p1", [] { bench_mutex("mutex_contended_p1", 1, 8); }},
    {"mutex_contended_p2", [] { bench_mutex("mutex_contended_p2", 2, 8); }},
};

}  // namespace
