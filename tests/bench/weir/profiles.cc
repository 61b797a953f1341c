// Goroutine profiles of very many, while a neighbour computes; and what they cost those who work.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include <weir/profiler/capture.h>
#include <weir/profiler/encode.h>
#include <weir/weir.h>

#include "../bench.h"

namespace {

using bench::Clock;
namespace profiler = weir::profiler;
using profiler::Detail;

// Goroutines that are about to block.
std::atomic<int> arrived{0};

// One of ten functions that call themselves until they are eight deep, and block there.
template <int Kind>
[[gnu::noinline]] void nest(const weir::chan<int>& ch, int depth) {
  if (depth == 1) {
    arrived.fetch_add(1);
    ch.recv();
  } else {
    nest<Kind>(ch, depth - 1);
  }
  asm volatile("");  // not a tail call
}
constexpr int kKinds = 10, kDepth = 8;
template <int... Kind>
constexpr auto make_kinds(std::integer_sequence<int, Kind...>) {
  return std::array{nest<Kind>...};
}
constexpr auto kNests = make_kinds(std::make_integer_sequence<int, kKinds>());

// n goroutines that wait for ch, in ten places.
void park(const weir::chan<int>& ch, int n) {
  arrived = 0;
  for (int i = 0; i < n; i++) {
    weir::go([ch, i] { kNests[static_cast<size_t>(i % kKinds)](ch, kDepth); });
  }
  while (arrived.load() < n) weir::gosched();
}

bool write(int debug, const profiler::Sink& sink) {
  switch (debug) {
    case 0:
      return profiler::write_pprof(profiler::capture({.detail = Detail::groups}), sink);
    case 1:
      return profiler::write_debug1(profiler::capture({.detail = Detail::groups}), sink);
    case 2:
      return profiler::write_debug2(profiler::capture({.detail = Detail::members}), sink);
    default:
      return profiler::write_pprof3(profiler::capture({.detail = Detail::members}), sink);
  }
}

// A goroutine that does nothing but look at the clock: its longest gap is what others did to it.
struct Neighbour {
  std::atomic<bool> stop{false};
  std::atomic<int64_t> longest{0};  // ns, since it was last set to 0
  void run() {
    auto last = Clock::now();
    while (!stop.load(std::memory_order_relaxed)) {
      const auto now = Clock::now();
      const int64_t gap = std::chrono::nanoseconds(now - last).count();
      if (gap > longest.load(std::memory_order_relaxed)) longest.store(gap);
      last = now;
    }
  }
};

// Highest memory of the process from here on.
void reset_peak() { std::ofstream("/proc/self/clear_refs") << 5; }

void measure(const std::string& name, int debug, int times, Neighbour& neighbour) {
  uint64_t bytes = 0;
  const profiler::Sink count = [&](std::string_view piece) {
    bytes += piece.size();
    return true;
  };
  double best = 0, stall = 0, memory = 0;
  for (int i = 0; i < times; i++) {
    bytes = 0;
    reset_peak();
    const double before = bench::status_bytes("VmRSS");
    neighbour.longest = 0;
    const auto start = Clock::now();
    write(debug, count);
    const double ms = bench::ns_since(start) / 1e6;
    if (i == 0 || ms < best) best = ms;
    stall = std::max(stall, static_cast<double>(neighbour.longest.load()) / 1e6);
    memory = std::max(memory, bench::status_bytes("VmHWM") - before);
  }
  bench::metric(name, best, "ms");
  bench::metric(name + "_stall", stall, "ms");
  bench::metric(name + "_memory", memory / (1 << 20), "MiB");
  bench::metric(name + "_size", static_cast<double>(bytes) / (1 << 20), "MiB");
}

void bench_profiles() {
  weir::gomaxprocs(2);
  park(weir::make_chan<int>(), bench::many());
  Neighbour neighbour;
  weir::WaitGroup running;
  running.go([&] { neighbour.run(); });
  auto done = weir::make_chan<int>();
  std::thread observer([&] {  // as the endpoint does: from a thread outside of the scheduler
    measure("profile_debug1", 1, 3, neighbour);
    measure("profile_pprof", 0, 3, neighbour);
    measure("profile_debug3", 3, 2, neighbour);
    measure("profile_debug2", 2, 2, neighbour);
    done.close();
  });
  done.recv();
  observer.join();
  neighbour.stop = true;
  running.wait();
}

// Round trips in a second of two goroutines, with `parked` others.
int64_t pingpong_for(std::chrono::seconds time) {
  auto ping = weir::make_chan<int>(), pong = weir::make_chan<int>();
  weir::go([=] {
    for (int v : ping) pong.send(v);
    pong.close();
  });
  int64_t trips = 0;
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
    for (int i = 0; i < 1000; i++, trips++) {
      ping.send(i);
      pong.recv();
    }
  }
  ping.close();
  pong.recv();
  return trips;
}

// The share of ping-pong's throughput that is left with a profile each second.
void bench_profiled(int procs) {
  constexpr std::chrono::seconds kTime(5);
  weir::gomaxprocs(procs);
  park(weir::make_chan<int>(), bench::many() / 10);
  pingpong_for(std::chrono::seconds(1));
  const auto alone = static_cast<double>(pingpong_for(kTime));
  std::atomic<bool> stop{false};
  std::thread observer([&] {
    auto next = Clock::now();
    while (!stop) {
      write(1, [](std::string_view) { return true; });
      next += std::chrono::seconds(1);
      while (!stop && Clock::now() < next)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  const auto profiled = static_cast<double>(pingpong_for(kTime));
  stop = true;
  observer.join();
  bench::metric(bench::at_procs("profiled_pingpong", procs), profiled / alone, "of_undisturbed");
}

const bench::Groups kGroups{
    {"profiles", bench_profiles},
    {"profiled_p1", [] { bench_profiled(1); }},
    {"profiled_p2", [] { bench_profiled(2); }},
};

}  // namespace
