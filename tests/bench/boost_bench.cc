// boost.fiber's side of the benchmarks, where it has the thing: the same programs as weir_bench.cc,
// the same metric lines `name value unit`, one metric group per argument (none: all). It has no
// profile of fibers.
//
//   WEIR_BENCH_PARKED=N   fibers of the group "parked", default a million

#include <sys/mman.h>

#include <atomic>
#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

namespace fibers = boost::fibers;
using Clock = std::chrono::steady_clock;

void metric(std::string_view name, double value, const char* unit) {
  std::printf("%.*s %.1f %s\n", static_cast<int>(name.size()), name.data(), value, unit);
  std::fflush(stdout);
}

double ns_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

int number(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  int n = text ? std::atoi(text) : 0;
  return n > 0 ? n : otherwise;
}

// Two fibers that yield to each other on one thread: ns a switch.
double yield_round(int n) {
  auto body = [n] {
    for (int i = 0; i < n; i++) boost::this_fiber::yield();
  };
  auto start = Clock::now();
  fibers::fiber a(body), b(body);
  a.join();
  b.join();
  return ns_since(start);
}

void bench_yield() {
  yield_round(100'000);
  constexpr int kTimes = 2'000'000;
  metric("yield", yield_round(kTimes) / (2.0 * kTimes), "ns/switch");
}

// Runs f on this thread with another one that helps by stealing work (two "processors").
template <class F>
void with_two_threads(F f) {
  fibers::mutex mutex;
  fibers::condition_variable_any ended;
  bool end = false;
  std::thread helper([&] {
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(2);
    std::unique_lock hold(mutex);
    ended.wait(hold, [&] { return end; });
  });
  fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(2);
  f();
  {
    std::unique_lock hold(mutex);
    end = true;
  }
  ended.notify_all();
  helper.join();
}

// Unbuffered: a value there, a value back. ns a round trip.
double ping_pong_round(int n) {
  fibers::unbuffered_channel<int> ping, pong;
  fibers::fiber echo([&] {
    for (int v : ping) pong.push(v);
  });
  auto start = Clock::now();
  int v = 0;
  for (int i = 0; i < n; i++) {
    ping.push(i);
    pong.pop(v);
  }
  double took = ns_since(start);
  ping.close();
  echo.join();
  return took;
}

void bench_ping_pong(int procs) {
  auto run = [procs] {
    ping_pong_round(20'000);
    constexpr int kTimes = 500'000;
    metric("pingpong_p" + std::to_string(procs), ping_pong_round(kTimes) / kTimes, "ns/roundtrip");
  };
  procs == 1 ? run() : with_two_threads(run);
}

// Stacks of 64 KiB, as weir's, one after the other in one mapping; free ones are used again first.
class SlabStacks {
 public:
  using traits_type = boost::context::stack_traits;
  static constexpr size_t kSize = 64 << 10;

  boost::context::stack_context allocate() {
    std::scoped_lock hold(state().lock);
    State& s = state();
    char* top;
    if (!s.free.empty()) {
      top = s.free.back();
      s.free.pop_back();
    } else {
      if (s.used == kChunk) {
        void* at = mmap(nullptr, kChunk * kSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) throw std::bad_alloc();
        madvise(at, kChunk * kSize, MADV_NOHUGEPAGE);
        s.chunk = static_cast<char*>(at);
        s.used = 0;
      }
      top = s.chunk + kSize * ++s.used;
    }
    boost::context::stack_context context;
    context.size = kSize;
    context.sp = top;
    return context;
  }
  void deallocate(boost::context::stack_context& context) noexcept {
    std::scoped_lock hold(state().lock);
    state().free.push_back(static_cast<char*>(context.sp));
  }

 private:
  static constexpr size_t kChunk = 4096;  // stacks of a mapping
  struct State {
    std::mutex lock;
    char* chunk = nullptr;
    size_t used = kChunk;
    std::vector<char*> free;
  };
  static State& state() {
    static State s;
    return s;
  }
};

// A thousand fibers started and joined at a time: ns each.
double spawn_round(int rounds) {
  auto start = Clock::now();
  std::vector<fibers::fiber> alive;
  alive.reserve(1000);
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < 1000; i++) alive.emplace_back(std::allocator_arg, SlabStacks(), [] {});
    for (auto& f : alive) f.join();
    alive.clear();
  }
  return ns_since(start);
}

void bench_spawn(int procs) {
  auto run = [procs] {
    spawn_round(100);
    constexpr int kRounds = 1000;
    metric("spawn_join_p" + std::to_string(procs), spawn_round(kRounds) / (kRounds * 1000.0),
           "ns/goroutine");
  };
  procs == 1 ? run() : with_two_threads(run);
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

// Fibers parked in receive: memory and ns each. One thread: fibers do not move by themselves.
void bench_parked() {
  const int n = number("WEIR_BENCH_PARKED", 1'000'000);
  fibers::unbuffered_channel<int> ch;
  int arrived = 0;
  double rss = status_bytes("VmRSS"), page_tables = status_bytes("VmPTE");
  auto start = Clock::now();
  for (int i = 0; i < n; i++) {
    fibers::fiber(fibers::launch::post, std::allocator_arg, SlabStacks(), [&ch, &arrived] {
      arrived++;
      int v;
      ch.pop(v);
    }).detach();
  }
  while (arrived < n) boost::this_fiber::yield();
  double took = ns_since(start);
  metric("parked_create", took / n, "ns/goroutine");
  metric("parked_rss", (status_bytes("VmRSS") - rss) / n, "bytes/goroutine");
  metric("parked_pagetables", (status_bytes("VmPTE") - page_tables) / n, "bytes/goroutine");
  // Waking and ending them all is not measured.
  std::fflush(stdout);
  std::_Exit(0);
}

struct MetricGroup {
  const char* name;
  void (*run)();
};

// "parked" ends the process.
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
  for (int i = 1; i < argc; i++) {
    bool known = false;
    for (const MetricGroup& group : kGroups) known |= !std::strcmp(argv[i], group.name);
    if (!known) {
      std::fprintf(stderr, "boost-bench: no such metric group: %s\n", argv[i]);
      return 2;
    }
  }
  for (const MetricGroup& group : kGroups) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; i++) wanted |= !std::strcmp(argv[i], group.name);
    // A thread keeps its fiber scheduler for life: each group has a thread of its own.
    if (wanted) std::thread(group.run).join();
  }
}
