// run: starts and stops the scheduler; its settings.

#include <weir/go.h>
#include <weir/profiling.h>
#include <weir/run_hook.h>

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "clock.h"
#include "fatal.h"
#include "m.h"
#include "netpoll.h"
#include "perturb.h"
#include "proc.h"
#include "sanitize.h"
#include "scope.h"
#include "signals.h"
#include "stack.h"
#include "syscall.h"
#include "sysmon.h"
#include "tls.h"

namespace weir {

namespace rt {

namespace {

constexpr int kMaxBlocking = 512;

// The stack size of goroutines that were made before run() said otherwise.
constexpr size_t kDefaultStack = kSanitized ? 256 << 10 : 64 << 10;

// Before the constructors that may start goroutines and timers.
[[gnu::constructor(101)]] void init_sched() {
  sched.default_class = class_of(kDefaultStack);
  newp(0);
}

// A number from the environment; 0 where it is not set.
size_t env_number(const char* name, size_t min, size_t max) {
  const char* text = getenv(name);
  if (!text || !*text) return 0;
  std::string_view s(text);
  size_t value = 0;
  auto [end, err] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (err != std::errc() || end != s.data() + s.size() || value < min || value > max) {
    throw std::invalid_argument("weir: " + std::string(name) + "=" + text +
                                ": expected a number from " + std::to_string(min) + " to " +
                                std::to_string(max));
  }
  return value;
}

int cpus_of_process() noexcept {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// A limit: the option, the variable, the default.
int choose_limit(const char* option, int value, const char* variable, int min, int max,
                 int otherwise) {
  if (value != 0 && (value < min || value > max)) {
    throw std::invalid_argument("weir::run: " + std::string(option) + " " + std::to_string(value) +
                                " is not from " + std::to_string(min) + " to " +
                                std::to_string(max));
  }
  if (value) return value;
  if (size_t n = env_number(variable, static_cast<size_t>(min), static_cast<size_t>(max))) {
    return static_cast<int>(n);
  }
  return otherwise;
}

size_t choose_class(const Options& options) {
  size_t bytes =
      options.stack_size ? options.stack_size : env_number("WEIR_STACK_SIZE", kMinStack, kMaxStack);
  return class_of(bytes ? bytes : kDefaultStack);
}

std::atomic<RunHooks*> run_hooks{nullptr};  // the last that was added

std::mutex run_lock;    // held by the one run() under way
std::mutex world_lock;  // stop_the_world .. start_the_world

}  // namespace

}  // namespace rt

namespace detail {

int run(const func& fn, void* closure, const Options& options) {
  using namespace rt;
  G* self = tls_getg();
  if (self && !self->is_thread) throw std::logic_error("weir::run: called from a goroutine");
  std::unique_lock only(run_lock, std::try_to_lock);
  if (!only) throw std::logic_error("weir::run: another run is under way in this process");
  int maxprocs = choose_limit("maxprocs", options.maxprocs, "WEIR_MAXPROCS", 1, kMaxProcs,
                              std::min(cpus_of_process(), kMaxProcs));
  int max_threads =
      choose_limit("max_threads", options.max_threads, "WEIR_MAX_THREADS", 2, kMaxMs, kMaxMs);
  int max_blocking = choose_limit("max_blocking", options.max_blocking, "WEIR_MAX_BLOCKING", 1,
                                  kMaxMs, kMaxBlocking);
  uint64_t seed = options.perturb_seed;
  if (seed == 0) seed = env_number("WEIR_PERTURB", 1, SIZE_MAX);
  size_t trace_ms = env_number("WEIR_SCHEDTRACE", 1, INT32_MAX);
  size_t size_class = choose_class(options);
  sched.cpu_accounting.store(options.cpu_accounting ||
                             env_number("WEIR_CPU_ACCOUNTING", 0, 1) == 1);
  if (size_t ns = env_number("WEIR_BLOCK_PROFILE_RATE", 1, INT64_MAX)) {
    set_block_profile_rate(static_cast<int64_t>(ns));
  }
  if (size_t n = env_number("WEIR_MUTEX_PROFILE_FRACTION", 1, INT32_MAX)) {
    set_mutex_profile_fraction(static_cast<int>(n));
  }
  if (env_number("WEIR_CREATION_STACKS", 0, 1)) set_creation_stacks(true);

  install_signal_handlers();
  install_fatal_handlers();
  install_terminate_handler();
  if (!netpollinit()) {
    throw std::system_error(errno, std::system_category(), "weir::run: the network poller");
  }
  check_membarrier();
  start_sysmon();
  {
    std::scoped_lock hold(world_lock);
    sched.stopping.store(true);  // as before the first run, and since the end of the last one
    if (sched.default_class != size_class) {
      for (int i = 0; i < sched.gomaxprocs.load(); i++) gfpurge(allp[i]);
      sched.default_class = size_class;
    }
    procresize(maxprocs);
    sched.max_threads = max_threads;
    set_max_blocking(max_blocking);
    set_perturbation(seed);
  }
  set_schedtrace(static_cast<int64_t>(trace_ms) * 1'000'000);  // now that there are Ps to tell of
  for (const RunHooks* h = run_hooks.load(); h; h = h->next) {
    if (h->begin) h->begin();
  }
  sched.main_done.clear();
  newproc1(fn, closure, {}, nullptr, /*main=*/true);
  sched.in_run.store(true);
  sched.lastpoll.store(nanotime());  // from here on sysmon sees to it that the network is asked
  {
    std::scoped_lock hold(world_lock);
    start_the_world();
  }
  sched.main_done.sleep();
  await_death();
  for (const RunHooks* h = run_hooks.load(); h; h = h->next) {
    if (h->end) h->end();
  }
  {
    std::scoped_lock hold(world_lock);
    stop_the_world();
  }
  return 0;
}

}  // namespace detail

int gomaxprocs(int n) {
  using namespace rt;
  if (n < 1) return sched.gomaxprocs.load();
  if (n > kMaxProcs) {
    throw std::invalid_argument("weir::gomaxprocs: " + std::to_string(n) +
                                " is more than the maximum of " + std::to_string(kMaxProcs));
  }
  int former = 0;
  auto resize = [&] {
    std::scoped_lock hold(world_lock);
    former = sched.gomaxprocs.load();
    if (former == n || former == 0) return;
    bool running = !sched.stopping.load();
    if (running) stop_the_world();
    procresize(n);
    if (running) start_the_world();
  };
  G* self = getg();
  if (self->is_thread) {
    resize();
    return former;
  }
  // A goroutine cannot stop the world that it is part of: a thread does it while the goroutine is
  // parked.
  struct Request {
    decltype(resize)& work;
    G* caller;
  } request{resize, self};
  std::thread([&] {
    while (self->status.load(std::memory_order_acquire) != Gwaiting) std::this_thread::yield();
    request.work();
    goready(self);
  }).detach();
  gopark([](G*, void*) {}, nullptr, introspect::WaitReason::none, nullptr);
  return former;
}

void add_run_hooks(RunHooks& hooks) noexcept {
  hooks.next = rt::run_hooks.load();
  while (!rt::run_hooks.compare_exchange_weak(hooks.next, &hooks)) {
  }
}

}  // namespace weir
