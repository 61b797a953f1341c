// Starting goroutines and switching between them: yield, spawn and join, skynet.

#include <cstdint>

#include <weir/weir.h>

#include "../bench.h"

namespace {

using bench::Clock;

// Two goroutines that yield to each other. ns of all 2n switches.
double yield_round(int n) {
  weir::WaitGroup wg;
  auto start = Clock::now();
  for (int g = 0; g < 2; g++) {
    wg.go([n] {
      for (int i = 0; i < n; i++) weir::gosched();
    });
  }
  wg.wait();
  return bench::ns_since(start);
}

void bench_yield() {
  weir::gomaxprocs(1);
  yield_round(100'000);
  constexpr int kTimes = 8'000'000;
  bench::metric("yield", yield_round(kTimes) / (2.0 * kTimes), "ns/switch");
}

// A thousand goroutines started and joined at a time. ns of all.
double spawn_round(int rounds) {
  auto start = Clock::now();
  for (int r = 0; r < rounds; r++) {
    weir::WaitGroup wg;
    wg.add(1000);
    for (int i = 0; i < 1000; i++) weir::go([&wg] { wg.done(); });
    wg.wait();
  }
  return bench::ns_since(start);
}

void bench_spawn(int procs) {
  weir::gomaxprocs(procs);
  spawn_round(100);
  constexpr int kRounds = 5000;
  bench::metric(bench::at_procs("spawn_join", procs), spawn_round(kRounds) / (kRounds * 1000.0),
                "ns/goroutine");
}

// Sends the sum of `leaves` numbers from `first` on: a leaf its own, any other the sum that its ten
// children send.
void skynet(const weir::chan<int64_t>& up, int64_t first, int64_t leaves) {
  if (leaves == 1) {
    up.send(first);
    return;
  }
  constexpr int kChildren = 10;
  auto sums = weir::make_chan<int64_t>();
  const int64_t part = leaves / kChildren;
  for (int i = 0; i < kChildren; i++) {
    weir::go([sums, part, begin = first + i * part] { skynet(sums, begin, part); });
  }
  int64_t sum = 0;
  for (int i = 0; i < kChildren; i++) sum += *sums.recv();
  up.send(sum);
}

// ns of a whole tree.
double skynet_round(int64_t leaves) {
  auto start = Clock::now();
  auto sum = weir::make_chan<int64_t>();
  weir::go([=] { skynet(sum, 0, leaves); });
  bench::check(sum.recv() == leaves * (leaves - 1) / 2, "skynet: the sum");
  return bench::ns_since(start);
}

void bench_skynet(int procs) {
  weir::gomaxprocs(procs);
  constexpr int64_t kLeaves = 1'000'000;
  skynet_round(kLeaves);
  constexpr int kTimes = 2;
  double took = 0;
  for (int i = 0; i < kTimes; i++) took += skynet_round(kLeaves);
  bench::metric(bench::at_procs("skynet", procs), took / kTimes / 1e6, "ms");
}

const bench::Groups kGroups{
    {"yield", bench_yield},
    {"spawn_join_p1", [] { bench_spawn(1); }},
    {"spawn_join_p2", [] { bench_spawn(2); }},
    {"skynet_p1", [] { bench_skynet(1); }},
    {"skynet_p2", [] { bench_skynet(2); }},
};

}  // namespace
