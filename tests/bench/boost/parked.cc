// Very many fibers that are blocked: parked in receive, sleepers. One thread: fibers do not move by
// themselves.

#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "../bench.h"
#include "fibers.h"

namespace {

using bench::Clock;
namespace fibers = boost::fibers;

int arrived, exited;  // fibers that are about to block, and to end

// Starts n fibers and waits until all are about to block. ns.
double park(fibers::unbuffered_channel<int>& ch, int n) {
  arrived = 0;
  auto start = Clock::now();
  for (int i = 0; i < n; i++) {
    bench::start([&ch] {
      arrived++;
      int v;
      ch.pop(v);
      exited++;
    }).detach();
  }
  while (arrived < n) boost::this_fiber::yield();
  return bench::ns_since(start);
}

// Memory and ns each of fibers parked in receive, the ns that it takes to wake and end them, and to
// create them once more, with the memory of the first ones.
void bench_parked() {
  const int n = bench::many();
  fibers::unbuffered_channel<int> ch;
  double rss = bench::status_bytes("VmRSS"), page_tables = bench::status_bytes("VmPTE");
  bench::metric("parked_create", park(ch, n) / n, "ns/goroutine");
  bench::metric("parked_rss", (bench::status_bytes("VmRSS") - rss) / n, "bytes/goroutine");
  bench::metric("parked_pagetables", (bench::status_bytes("VmPTE") - page_tables) / n,
                "bytes/goroutine");
  auto start = Clock::now();
  ch.close();
  while (exited < n) boost::this_fiber::yield();
  boost::this_fiber::yield();  // now the dispatcher takes the stacks of those that ended
  bench::metric("parked_wake", bench::ns_since(start) / n, "ns/goroutine");
  fibers::unbuffered_channel<int> again;
  bench::metric("parked_create_again", park(again, n) / n, "ns/goroutine");
  // Ending them is not worth the time.
  std::_Exit(0);
}

// Fibers that sleep a pseudo-random time below a second each.
void sleep_all(int n) {
  int left = n;
  uint32_t random = 1;
  for (int i = 0; i < n; i++) {
    random = random * 1664525 + 1013904223;  // Numerical Recipes' generator
    bench::start([&left, ns = random % 1'000'000'000] {
      boost::this_fiber::sleep_for(std::chrono::nanoseconds(ns));
      left--;
    }).detach();
  }
  while (left > 0) boost::this_fiber::sleep_for(std::chrono::milliseconds(1));
}

// The whole life of very many sleepers. Only the machinery is warmed up: touching the memory of a
// million fibers is part of what is measured.
void bench_sleepers() {
  sleep_all(1000);
  double cpu = bench::cpu_ms();
  auto start = Clock::now();
  sleep_all(bench::many());
  bench::metric("sleepers_wall", bench::ns_since(start) / 1e6, "ms");
  bench::metric("sleepers_cpu", bench::cpu_ms() - cpu, "ms");
}

const bench::Groups kGroups{{"parked", bench_parked}, {"sleepers", bench_sleepers}};

}  // namespace
