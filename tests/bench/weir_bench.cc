// weir's side of the benchmarks: the same programs as go/main.go and boost_bench.cc, the same
// metric lines `name value unit`, one metric group per argument (none: all).
//
//   WEIR_BENCH_PARKED=N   goroutines of the group "parked", default a million

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/profiler/encode.h>
#include <weir/weir.h>

namespace {

using Clock = std::chrono::steady_clock;

void metric(std::string_view name, double value, const char* unit) {
  std::printf("%.*s %.1f %s\n", static_cast<int>(name.size()), name.data(), value, unit);
  std::fflush(stdout);
}

double ns_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// A number of the environment, for smaller runs.
int number(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  int n = text ? std::atoi(text) : 0;
  return n > 0 ? n : otherwise;
}

// Two goroutines that yield to each other on one P: ns a switch.
double yield_round(int n) {
  weir::WaitGroup wg;
  auto start = Clock::now();
  for (int g = 0; g < 2; g++) {
    wg.go([n] {
      for (int i = 0; i < n; i++) weir::gosched();
    });
  }
  wg.wait();
  return ns_since(start);
}

void bench_yield() {
  weir::gomaxprocs(1);
  yield_round(100'000);
  constexpr int kTimes = 2'000'000;
  metric("yield", yield_round(kTimes) / (2.0 * kTimes), "ns/switch");
}

// Unbuffered: a value there, a value back. ns a round trip.
double ping_pong_round(int n) {
  auto ping = weir::make_chan<int>(), pong = weir::make_chan<int>();
  weir::go([=] {
    for (int v : ping) pong.send(v);
    pong.close();
  });
  auto start = Clock::now();
  for (int i = 0; i < n; i++) {
    ping.send(i);
    pong.recv();
  }
  double took = ns_since(start);
  ping.close();
  pong.recv();
  return took;
}

void bench_ping_pong(int procs) {
  weir::gomaxprocs(procs);
  ping_pong_round(50'000);
  constexpr int kTimes = 1'000'000;
  metric("pingpong_p" + std::to_string(procs), ping_pong_round(kTimes) / kTimes, "ns/roundtrip");
}

// A thousand goroutines started and joined at a time: ns each.
double spawn_round(int rounds) {
  auto start = Clock::now();
  for (int r = 0; r < rounds; r++) {
    weir::WaitGroup wg;
    wg.add(1000);
    for (int i = 0; i < 1000; i++) weir::go([&wg] { wg.done(); });
    wg.wait();
  }
  return ns_since(start);
}

void bench_spawn(int procs) {
  weir::gomaxprocs(procs);
  spawn_round(100);
  constexpr int kRounds = 1000;
  metric("spawn_join_p" + std::to_string(procs), spawn_round(kRounds) / (kRounds * 1000.0),
         "ns/goroutine");
}

// Bytes of a line of /proc/self/status.
double status_bytes(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':') {
      return std::strtod(line.c_str() + key.size() + 1, nullptr) * 1024;
    }
  }
  return 0;
}

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

// The best of `times` runs, ms.
template <class F>
double best_ms(int times, F f) {
  double best = 0;
  for (int i = 0; i < times; i++) {
    auto start = Clock::now();
    f();
    double ms = ns_since(start) / 1e6;
    if (i == 0 || ms < best) best = ms;
  }
  return best;
}

// Goroutine profiles of all that are parked: capture alone, and capture with each text to nowhere.
void bench_profiles() {
  namespace profiler = weir::profiler;
  size_t bytes = 0;
  profiler::Sink count = [&](std::string_view piece) {
    bytes += piece.size();
    return true;
  };
  metric("profile_capture", best_ms(2, [] { profiler::capture(); }), "ms");
  metric("profile_debug1", best_ms(2, [&] { profiler::write_debug1(profiler::capture(), count); }),
         "ms");
  metric("profile_pprof", best_ms(2, [&] { profiler::write_pprof(profiler::capture(), count); }),
         "ms");
  metric("profile_debug2", best_ms(1, [&] { profiler::write_debug2(profiler::capture(), count); }),
         "ms");
}

// Goroutines parked in receive: memory and ns each; then their profile.
void bench_parked() {
  weir::gomaxprocs(2);
  const int n = number("WEIR_BENCH_PARKED", 1'000'000);
  auto ch = weir::make_chan<int>();
  double rss = status_bytes("VmRSS"), page_tables = status_bytes("VmPTE");
  auto start = Clock::now();
  for (int i = 0; i < n; i++) weir::go([ch] { parked_caller(ch); });
  while (arrived.load() < n) weir::gosched();
  double took = ns_since(start);
  metric("parked_create", took / n, "ns/goroutine");
  metric("parked_rss", (status_bytes("VmRSS") - rss) / n, "bytes/goroutine");
  metric("parked_pagetables", (status_bytes("VmPTE") - page_tables) / n, "bytes/goroutine");
  auto done = weir::make_chan<int>();
  std::thread observer([&] {  // as the endpoint does: from a thread outside of the scheduler
    bench_profiles();
    done.close();
  });
  done.recv();
  observer.join();
}

struct MetricGroup {
  const char* name;
  void (*run)();
};

constexpr MetricGroup kGroups[] = {
    {"yield", bench_yield},
    {"pingpong_p1", [] { bench_ping_pong(1); }},
    {"pingpong_p2", [] { bench_ping_pong(2); }},
    {"spawn_join_p1", [] { bench_spawn(1); }},
    {"spawn_join_p2", [] { bench_spawn(2); }},
    {"parked", bench_parked},
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<const MetricGroup*> chosen;
  for (const MetricGroup& group : kGroups) {
    if (argc == 1) chosen.push_back(&group);
  }
  for (int i = 1; i < argc; i++) {
    size_t before = chosen.size();
    for (const MetricGroup& group : kGroups) {
      if (!std::strcmp(argv[i], group.name)) chosen.push_back(&group);
    }
    if (chosen.size() == before) {
      std::fprintf(stderr, "weir-bench: no such metric group: %s\n", argv[i]);
      return 2;
    }
  }
  return weir::run([&] {
    for (const MetricGroup* group : chosen) group->run();
  });
}
