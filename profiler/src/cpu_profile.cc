// CpuProfiler: the collector. A thread takes samples out of the handler's places (cpu_signal.h)
// every 20 ms, finishes their stacks, and sums them up by stack and labels, in bounded memory. It
// learns rules, which may take milliseconds; meanwhile the places fill up, and what finds none is
// counted.
#include <weir/profiler/cpu_profile.h>

#include <weir/introspect.h>

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cpu_signal.h"
#include "rules.h"
#include "stack_store.h"
#include "symbol_tables.h"
#include "thread_timers.h"

namespace weir::profiler {

namespace {

using Clock = std::chrono::steady_clock;
using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr std::chrono::milliseconds kTurn{20};
constexpr int kUpdateShare =
    50;  // looking for new threads takes at most one in so many of the time
constexpr uint32_t kMaxStacks = 1 << 16;
constexpr size_t kMaxPcs = size_t{1} << 21;
constexpr size_t kMaxLabelSets = 4096;

std::atomic<bool> in_use{false};

// The one who may profile.
class Claim {
 public:
  Claim() {
    if (in_use.exchange(true)) throw std::runtime_error("cpu profiling already in use");
  }
  ~Claim() { in_use.store(false); }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
};

// Of the calling thread.
std::chrono::nanoseconds processor_time() noexcept {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

int checked(int hz) {
  if (hz < 1 || hz > 1000) {
    throw std::invalid_argument("weir: a CPU profile of " + std::to_string(hz) +
                                " Hz: 1 to 1000 are possible");
  }
  return hz;
}

}  // namespace

struct CpuProfiler::Impl {
  explicit Impl(int rate) : hz(checked(rate)) {
    cpu_signal::install();
    rules::refresh();
    cpu_signal::begin();
    try {
      timers.emplace(hz).update();
      collector = std::thread([this] { collect(); });
    } catch (...) {
      timers.reset();
      cpu_signal::end();
      throw;
    }
  }

  ~Impl() { halt(); }

  void halt() {
    if (!collector.joinable()) return;
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_one();
    collector.join();
  }

  void collect() {
    pthread_setname_np(pthread_self(), "weir-cpuprofile");
    std::unique_lock lock(mutex);
    Clock::time_point next_update;
    while (!stopping) {
      wake.wait_for(lock, kTurn, [this] { return stopping; });
      lock.unlock();
      if (Clock::now() >= next_update) {
        const auto before = processor_time();
        timers->update();
        next_update = Clock::now() + (processor_time() - before) * kUpdateShare;
      }
      take_samples();
      lock.lock();
    }
    lock.unlock();
    duration = Clock::now() - started;
    without_timer = timers->failed();
    timers.reset();
    cpu_signal::end();
    take_samples();
  }

  void take_samples() {
    cpu_signal::drain([this](cpu_signal::Place& place) { add(place); });
  }

  void add(cpu_signal::Place& place) {
    finish_stack(place);
    const uint32_t stack = stacks.intern(place.stack);
    if (stack == 0) without_stack += place.weight;
    counts[{stack, labels_of(place.labels)}] += place.weight;
  }

  // Walks the copy, where the handler has left one.
  static void finish_stack(cpu_signal::Place& place) {
    if (place.copied == 0 && place.stack.depth != 0) return;
    const auto displacement =
        static_cast<ptrdiff_t>(reinterpret_cast<uintptr_t>(place.copy) - place.copied_from);
    for (uint32_t misses = 0; misses <= kMaxDepth; ++misses) {
      const Walk walk = unwind(place.regs, place.copied_from, place.copied_from + place.copied,
                               true, place.stack, displacement);
      if (walk.complete || !rules::learn(walk.missing)) return;
    }
  }

  uint32_t labels_of(const introspect::LabelSet* set) {
    if (!set) return 0;
    Labels text;
    for (size_t i = 0, n = introspect::label_count(set); i < n; ++i) {
      const Label label = introspect::label_at(set, i);
      text.emplace_back(label.key, label.value);
    }
    const auto found = labels.find(text);
    if (found != labels.end()) return found->second;
    if (labels.size() >= kMaxLabelSets) {
      without_labels++;
      return 0;
    }
    const auto index = static_cast<uint32_t>(labels.size());
    labels.emplace(std::move(text), index);
    return index;
  }

  Profile result() {
    Profile p;
    p.name = "profile";
    p.sample_types = {{"samples", "count"}, {"cpu", "nanoseconds"}};
    p.period_type = {"cpu", "nanoseconds"};
    p.period = 1'000'000'000 / hz;
    p.time_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                    std::chrono::system_clock::now().time_since_epoch())
                    .count();
    p.duration_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
    std::vector<const Labels*> texts(labels.size());
    for (const auto& [text, index] : labels) texts[index] = &text;
    SymbolTables tables;
    uint32_t last = 0, last_stack = kNone;
    for (const auto& [key, count] : counts) {
      const auto [id, label_index] = key;
      Profile::Sample& sample = p.samples.emplace_back();
      sample.values = {count, count * p.period};
      sample.labels = *texts[label_index];
      if (id == 0) continue;
      if (id != last) last_stack = tables.add_stack(stacks.pcs(id), stacks.truncated(id));
      last = id;
      sample.stack = last_stack;
    }
    p.symbols = tables.finish();
    std::stable_sort(p.samples.begin(), p.samples.end(), [](const auto& a, const auto& b) {
      return a.values.back() > b.values.back();
    });
    const auto tell = [&p](uint64_t n, const char* what) {
      if (n != 0) p.comments.push_back(std::to_string(n) + what);
    };
    tell(cpu_signal::dropped(), " samples were lost: they came faster than they were taken");
    tell(without_stack, " samples are without a stack: there are too many different ones");
    tell(without_labels, " samples are without their labels: there are too many different ones");
    tell(without_timer, " threads had no timer of their own and are seen too rarely");
    return p;
  }

  const Claim claim;
  const int hz;
  std::optional<ThreadTimers> timers;
  const Clock::time_point started = Clock::now();
  Clock::duration duration{};

  // The collector's, and after it has ended its owner's.
  StackStore stacks{kMaxStacks, kMaxPcs};
  std::map<Labels, uint32_t> labels{{{}, 0}};
  std::map<std::pair<uint32_t, uint32_t>, int64_t> counts;  // stack, labels -> periods
  uint64_t without_stack = 0, without_labels = 0, without_timer = 0;

  std::mutex mutex;  // protects `stopping`
  std::condition_variable wake;
  bool stopping = false;
  std::thread collector;
};

CpuProfiler::CpuProfiler(int hz) : impl_(std::make_unique<Impl>(hz)) {}
CpuProfiler::~CpuProfiler() = default;

Profile CpuProfiler::stop() {
  if (!impl_) throw std::logic_error("weir: a CPU profile that was stopped already");
  impl_->halt();
  Profile p = impl_->result();
  impl_.reset();
  return p;
}

}  // namespace weir::profiler
