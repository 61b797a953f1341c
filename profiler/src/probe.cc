// This file is compiled without sanitizers: answer() runs in signal handlers, and what it writes is
// read by another thread in an order that its own atomics make (sanitizers would have to see both
// sides).
#include "probe.h"

#include <time.h>

#include <atomic>

#include "rules.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace weir::profiler {

namespace {

using introspect::Goroutine;
using introspect::Registers;
using introspect::Scan;

constexpr size_t kRequests = 32;  // running goroutines that are asked at once, by all captures
constexpr int64_t kAnswerNs = 100'000'000;   // how long one thread is waited for
constexpr int64_t kImpatientNs = 1'000'000;  // once the capture's patience is used up
constexpr int kMaxMisses = 2 * kMaxDepth;    // rules learned for one slot
constexpr int kMaxMoves = 64;  // times that a goroutine stopped or began running while we looked

// Who may touch a request's answer: the asker in kFree and kDone, the handler in kBusy.
enum Phase : uint64_t {
  kFree,
  kArmed,      // asked; a handler may take it
  kBusy,       // a handler is writing
  kDone,       // written; the asker reads and frees it
  kAbandoned,  // a handler is writing, but nobody waits: the handler frees it
};
constexpr int kPhaseBits = 3;
constexpr int kIndexBits = 5;
static_assert(kRequests == size_t{1} << kIndexBits);

struct Request {
  std::atomic<uint64_t> state{kFree};  // generation << kPhaseBits | phase
  Goroutine g;
  RawStack stack;
  Walk walk;
};
Request pool[kRequests];

uint64_t phase_of(uint64_t state) { return state & ((1U << kPhaseBits) - 1); }
uint64_t with_phase(uint64_t state, Phase phase) {
  return state >> kPhaseBits << kPhaseBits | phase;
}

// Through volatile, so that the compiler makes no call of memcpy out of it: sanitizers watch that
// one.
void copy_words(void* to, const void* from, size_t bytes) {
  auto* t = static_cast<volatile uint64_t*>(to);
  const auto* f = static_cast<const volatile uint64_t*>(from);
  for (size_t i = 0; i < bytes / sizeof(uint64_t); ++i) t[i] = f[i];
}
static_assert(sizeof(Goroutine) % sizeof(uint64_t) == 0 && alignof(Goroutine) >= alignof(uint64_t));

void copy_stack(RawStack& to, const RawStack& from) {
  to.hash = from.hash;
  to.depth = from.depth;
  to.truncated = from.truncated;
  copy_words(to.pcs, from.pcs, from.depth * sizeof from.pcs[0]);
}

// In the signal handler of the asked thread. Async-signal-safe.
void answer(const Goroutine& g, const Registers& regs, void* arg) {
  const auto ticket = reinterpret_cast<uintptr_t>(arg);
  Request& r = pool[ticket & (kRequests - 1)];
  uint64_t armed = ticket >> kIndexBits << kPhaseBits | kArmed;
  if (!r.state.compare_exchange_strong(armed, with_phase(armed, kBusy),
                                       std::memory_order_acquire)) {
    return;  // too late
  }
  copy_words(&r.g, &g, sizeof g);
  r.walk = unwind(regs, g.stack_lo, g.stack_hi, true, r.stack);
  uint64_t busy = with_phase(armed, kBusy);
  if (!r.state.compare_exchange_strong(busy, with_phase(busy, kDone), std::memory_order_release)) {
    r.state.store(with_phase(busy, kFree), std::memory_order_release);
  }
}

// A request of a new generation; null: all are in use.
Request* acquire(uint64_t& armed) {
  for (Request& r : pool) {
    uint64_t state = r.state.load(std::memory_order_relaxed);
    if (phase_of(state) != kFree) continue;
    armed = with_phase(state + (1U << kPhaseBits), kArmed);
    if (r.state.compare_exchange_strong(state, armed, std::memory_order_acquire)) return &r;
  }
  return nullptr;
}

// The asker wants its request back. True: it is done after all, and ours to read.
bool take_back(Request& r, uint64_t armed) {
  for (int waits = 0;; ++waits) {
    uint64_t state = r.state.load(std::memory_order_acquire);
    switch (phase_of(state)) {
      case kDone:
        return true;
      case kArmed:
        if (r.state.compare_exchange_strong(armed, with_phase(armed, kFree))) return false;
        break;
      default: {  // a handler is writing: microseconds, unless its thread lost the CPU
        if (waits == 100) {
          if (r.state.compare_exchange_strong(state, with_phase(state, kAbandoned))) return false;
          break;
        }
        const timespec pause{0, 100'000};
        nanosleep(&pause, nullptr);
      }
    }
  }
}

// Asks the thread that runs this goroutine. False: no answer.
bool ask(size_t slot, uint64_t goid, int64_t timeout_ns, Probe& out, Walk& walk) {
  uint64_t armed = 0;
  Request* r = acquire(armed);
  if (!r) return false;
  const uintptr_t ticket = armed >> kPhaseBits << kIndexBits | static_cast<uintptr_t>(r - pool);
  introspect::interrupt(slot, goid, &answer, reinterpret_cast<void*>(ticket), timeout_ns);
  if (!take_back(*r, armed)) return false;
  copy_words(&out.g, &r->g, sizeof out.g);
  copy_stack(out.stack, r->stack);
  walk = r->walk;
  r->state.store(with_phase(armed, kFree), std::memory_order_release);
  return true;
}

int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void no_stack(RawStack& stack) {
  stack.hash = 0;
  stack.depth = 0;
  stack.truncated = true;
}

}  // namespace

uint64_t ticks() noexcept {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  uint64_t value;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#endif
}

Seen probe(size_t slot, ProbeContext& context, Probe& out) {
  int misses = 0, moves = 0;
  for (;;) {
    Registers regs;
    Walk walk;
    switch (introspect::hold(slot, out.g, regs)) {
      case Scan::empty:
        return Seen::nobody;
      case Scan::held: {
        const uint64_t start = ticks();
        walk = unwind(regs, out.g.stack_lo, out.g.stack_hi, false, out.stack);
        introspect::release(slot);
        const uint64_t held = ticks() - start;
        if (held > context.longest_hold) context.longest_hold = held;
        break;
      }
      case Scan::running: {
        const bool thread = out.g.thread;
        if (thread && out.g.state != introspect::State::waiting) return Seen::bystander;
        const bool patient = context.patience_ns > 0;
        const int64_t start = now_ns();
        if (ask(slot, out.g.goid, patient ? kAnswerNs : kImpatientNs, out, walk)) {
          if (thread && out.g.state != introspect::State::waiting) return Seen::bystander;
          break;
        }
        const int64_t took = now_ns() - start;
        if (took >= kImpatientNs) context.patience_ns -= took;
        // It stopped running meanwhile, or does not answer.
        if (took < (patient ? kAnswerNs : kImpatientNs) && ++moves < kMaxMoves) continue;
        out.g.object_count = out.g.objects_total = 0;
        out.g.name[0] = '\0';
        no_stack(out.stack);
        return Seen::goroutine;
      }
    }
    if (walk.complete || ++misses > kMaxMisses || !rules::learn(walk.missing))
      return Seen::goroutine;
  }
}

size_t requests_in_use() noexcept {
  size_t n = 0;
  for (const Request& r : pool) n += phase_of(r.state.load(std::memory_order_relaxed)) != kFree;
  return n;
}

}  // namespace weir::profiler
