// Starting fibers and switching between them: yield, spawn and join, skynet.

#include <cstdint>
#include <memory>
#include <vector>

#include "../bench.h"
#include "fibers.h"

namespace {

using bench::Clock;
namespace fibers = boost::fibers;

// Two fibers that yield to each other. ns of all 2n switches.
double yield_round(int n) {
  auto body = [n] {
    for (int i = 0; i < n; i++) boost::this_fiber::yield();
  };
  auto start = Clock::now();
  fibers::fiber a = bench::start(body), b = bench::start(body);
  a.join();
  b.join();
  return bench::ns_since(start);
}

void bench_yield() {
  yield_round(100'000);
  constexpr int kTimes = 8'000'000;
  bench::metric("yield", yield_round(kTimes) / (2.0 * kTimes), "ns/switch");
}

// A thousand fibers started and joined at a time. ns of all.
double spawn_round(int rounds) {
  auto start = Clock::now();
  std::vector<fibers::fiber> alive;
  alive.reserve(1000);
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < 1000; i++) alive.push_back(bench::start([] {}));
    for (auto& f : alive) f.join();
    alive.clear();
  }
  return bench::ns_since(start);
}

void bench_spawn(int procs) {
  bench::with_procs(procs, [procs] {
    spawn_round(100);
    constexpr int kRounds = 3000;
    bench::metric(bench::at_procs("spawn_join", procs), spawn_round(kRounds) / (kRounds * 1000.0),
                  "ns/goroutine");
  });
}

// Shared by the fibers that use it: a push still looks at the channel after the value was popped.
using Sums = std::shared_ptr<fibers::unbuffered_channel<int64_t>>;

// Sends the sum of `leaves` numbers from `first` on: a leaf its own, any other the sum that its ten
// children send.
void skynet(const Sums& up, int64_t first, int64_t leaves) {
  if (leaves == 1) {
    up->push(first);
    return;
  }
  constexpr int kChildren = 10;
  auto sums = std::make_shared<fibers::unbuffered_channel<int64_t>>();
  const int64_t part = leaves / kChildren;
  for (int i = 0; i < kChildren; i++) {
    bench::start([sums, part, begin = first + i * part] { skynet(sums, begin, part); }).detach();
  }
  int64_t sum = 0;
  for (int i = 0; i < kChildren; i++) sum += sums->value_pop();
  up->push(sum);
}

// ns of a whole tree.
double skynet_round(int64_t leaves) {
  auto start = Clock::now();
  auto sum = std::make_shared<fibers::unbuffered_channel<int64_t>>();
  bench::start([=] { skynet(sum, 0, leaves); }).detach();
  bench::check(sum->value_pop() == leaves * (leaves - 1) / 2, "skynet: the sum");
  return bench::ns_since(start);
}

void bench_skynet(int procs) {
  bench::with_procs(procs, [procs] {
    constexpr int64_t kLeaves = 1'000'000;
    skynet_round(kLeaves);
    bench::metric(bench::at_procs("skynet", procs), skynet_round(kLeaves) / 1e6, "ms");
  });
}

const bench::Groups kGroups{
    {"yield", bench_yield},
    {"spawn_join_p1", [] { bench_spawn(1); }},
    {"spawn_join_p2", [] { bench_spawn(2); }},
    {"skynet_p1", [] { bench_skynet(1); }},
    {"skynet_p2", [] { bench_skynet(2); }},
};

}  // namespace
