#include <weir/profiler/census.h>

#include <chrono>
#include <mutex>

namespace weir::profiler {

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kAhead = 16;  // slots; a look takes tens of ns, memory as long as several

// What is counted anew when the last count is older than `share` times what it took.
template <class T>
class Shared {
 public:
  explicit Shared(int share) : share_(share) {}

  template <class Count>
  T get(Count count) {
    std::lock_guard guard(lock_);
    const auto start = Clock::now();
    if (start < again_) return last_;
    last_ = count();
    const auto end = Clock::now();
    again_ = end + (end - start) * share_;
    return last_;
  }

 private:
  std::mutex lock_;
  const int share_;
  T last_{};
  Clock::time_point again_;
};

}  // namespace

Census take_census() noexcept {
  const auto start = Clock::now();
  Census c;
  introspect::Glimpse g;
  const size_t slots = introspect::slot_count();
  for (size_t slot = 0; slot < slots; ++slot) {
    introspect::prefetch_record(slot + kAhead);
    if (!introspect::glimpse(slot, g)) continue;
    if (g.thread) {
      c.threads++;
      continue;
    }
    c.goroutines++;
    c.states[static_cast<size_t>(g.state)]++;
    if (g.state == introspect::State::waiting) c.reasons[static_cast<size_t>(g.wait_reason)]++;
  }
  introspect::for_each_context(
      [](const introspect::Context& context, void* arg) {
        auto& to = *static_cast<Census*>(arg);
        if (context.deadline_exceeded) {
          to.expired_contexts++;
        } else if (context.cancelled) {
          to.cancelled_contexts++;
        } else {
          to.active_contexts++;
        }
        if (context.forgotten) to.forgotten_contexts++;
      },
      &c);
  c.duration_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  return c;
}

Census shared_census() {
  static Shared<Census> shared(10);
  return shared.get(take_census);
}

uint64_t shared_stack_bytes() {
  static Shared<uint64_t> shared(100);
  return shared.get(introspect::stack_bytes_committed);
}

}  // namespace weir::profiler
