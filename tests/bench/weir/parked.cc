// Very many goroutines that are blocked: parked in receive, sleepers.

#include <atomic>
#include <chrono>
#include <cstdint>

#include <weir/weir.h>

#include "../bench.h"

namespace {

using bench::Clock;

// Goroutines that are about to block.
std::atomic<int> arrived{0};

[[gnu::noinline]] void parked_in_receive(const weir::chan<int>& ch) {
  arrived.fetch_add(1);
  ch.recv();
}
[[gnu::noinline]] void parked_caller(const weir::chan<int>& ch) {
  parked_in_receive(ch);
  asm volatile("");  // not a tail call
}

// Starts n goroutines and waits until all are about to block, but for the last few instructions.
// ns.
double park(const weir::chan<int>& ch, int n) {
  arrived = 0;
  auto start = Clock::now();
  for (int i = 0; i < n; i++) weir::go([ch] { parked_caller(ch); });
  while (arrived.load() < n) weir::gosched();
  return bench::ns_since(start);
}

// Memory and ns each of goroutines parked in receive, the ns that it takes to wake and end them,
// and to create them once more, with the memory of the first ones.
void bench_parked() {
  weir::gomaxprocs(2);
  const int n = bench::many();
  const size_t others = weir::num_goroutine();
  auto ch = weir::make_chan<int>();
  double rss = bench::status_bytes("VmRSS"), page_tables = bench::status_bytes("VmPTE");
  bench::metric("parked_create", park(ch, n) / n, "ns/goroutine");
  bench::metric("parked_rss", (bench::status_bytes("VmRSS") - rss) / n, "bytes/goroutine");
  bench::metric("parked_pagetables", (bench::status_bytes("VmPTE") - page_tables) / n,
                "bytes/goroutine");
  auto start = Clock::now();
  ch.close();
  while (weir::num_goroutine() > others) weir::gosched();
  bench::metric("parked_wake", bench::ns_since(start) / n, "ns/goroutine");
  bench::metric("parked_create_again", park(weir::make_chan<int>(), n) / n, "ns/goroutine");
}

// Goroutines that sleep a pseudo-random time below a second each.
void sleep_all(int n) {
  weir::WaitGroup wg;
  uint32_t random = 1;
  for (int i = 0; i < n; i++) {
    random = random * 1664525 + 1013904223;  // Numerical Recipes' generator
    wg.go([ns = random % 1'000'000'000] { weir::sleep_for(std::chrono::nanoseconds(ns)); });
  }
  wg.wait();
}

// The whole life of very many sleepers. Only the machinery is warmed up: touching the memory of a
// million goroutines is part of what is measured.
void bench_sleepers() {
  weir::gomaxprocs(2);
  sleep_all(1000);
  double cpu = bench::cpu_ms();
  auto start = Clock::now();
  sleep_all(bench::many());
  bench::metric("sleepers_wall", bench::ns_since(start) / 1e6, "ms");
  bench::metric("sleepers_cpu", bench::cpu_ms() - cpu, "ms");
}

const bench::Groups kGroups{
    {"parked", bench_parked},
    {"sleepers", bench_sleepers},
};

}  // namespace
