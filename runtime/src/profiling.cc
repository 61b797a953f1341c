// Block events, mutex events, creation stacks (profiling.h).

#include "profiling.h"

#include <weir/introspect.h>
#include <weir/profiling.h>

#include <algorithm>

#include "clock.h"
#include "tls.h"

namespace weir {

namespace rt {

std::atomic<int64_t> block_rate{0};
std::atomic<int> mutex_fraction{0};
std::atomic<bool> creations_wanted{false};

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::atomic<const introspect::ProfileHooks*> hooks{nullptr};

// From 0 to n - 1. xorshift*, per thread; only read and written between switches.
uint64_t random_below(uint64_t n) noexcept {
  static thread_local uint64_t state = 0;
  if (state == 0) state = cputicks() | 1;
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (state * 0x2545f4914f6cdd1du >> 11) % n;
}

void tell(const G* gp, introspect::Contention::Kind kind, double count, double delay_ns) noexcept {
  const auto* h = hooks.load(std::memory_order_acquire);
  if (h) h->contention({kind, count, delay_ns, gp->stack_lo, gp->stack_hi});
}

void prepare() noexcept {
  calibrate_ticks();
  if (const auto* h = hooks.load(std::memory_order_acquire)) h->prepare();
}

}  // namespace

// A wait shorter than the rate is recorded with probability ns / rate, and stands for rate / ns of
// its kind.
[[gnu::noinline]] void block_event(const G* gp, uint64_t ticks) noexcept {
  const int64_t rate = block_rate.load(kRelaxed);
  if (rate <= 0) return;
  const int64_t ns = std::max<int64_t>(static_cast<int64_t>(ticks_to_ns(ticks)), 1);
  double count = 1;
  if (ns < rate) {
    if (random_below(static_cast<uint64_t>(rate)) >= static_cast<uint64_t>(ns)) return;
    count = static_cast<double>(rate) / static_cast<double>(ns);
  }
  tell(gp, introspect::Contention::block, count, static_cast<double>(std::max(ns, rate)));
}

[[gnu::noinline]] void mutex_event(uint64_t ticks) noexcept {
  const int n = mutex_fraction.load(kRelaxed);
  if (n <= 0 || random_below(static_cast<uint64_t>(n)) != 0) return;
  tell(getg(), introspect::Contention::mutex, n, n * static_cast<double>(ticks_to_ns(ticks)));
}

void thread_event() noexcept {
  if (const auto* h = hooks.load(std::memory_order_acquire)) h->thread();
}

[[gnu::noinline]] uint16_t record_creation(const G* gp) noexcept {
  const auto* h = hooks.load(std::memory_order_acquire);
  return h ? h->creation(gp->stack_lo, gp->stack_hi) : uint16_t{0};
}

}  // namespace rt

void set_block_profile_rate(int64_t ns) noexcept {
  if (ns > 0) rt::prepare();
  rt::block_rate.store(std::max<int64_t>(ns, 0));
}

int64_t block_profile_rate() noexcept { return rt::block_rate.load(); }

int set_mutex_profile_fraction(int n) noexcept {
  if (n < 0) return rt::mutex_fraction.load();
  if (n > 0) rt::prepare();
  return rt::mutex_fraction.exchange(n);
}

bool set_creation_stacks(bool on) noexcept {
  if (on) rt::prepare();
  return rt::creations_wanted.exchange(on);
}

namespace introspect {

void set_profile_hooks(const ProfileHooks* hooks) noexcept {
  rt::hooks.store(hooks, std::memory_order_release);
}

void add_helper_thread() noexcept { rt::sched.helpers.fetch_add(1); }

}  // namespace introspect

}  // namespace weir
