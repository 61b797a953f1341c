// This file is compiled without sanitizers: answer() runs in signal handlers.
#include "probe.h"

#include <time.h>

#include <algorithm>

#include "rules.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace weir::profiler {

namespace {

using introspect::Goroutine;
using introspect::Registers;
using introspect::Scan;

constexpr int64_t kAnswerNs = 100'000'000;   // how long one thread is waited for
constexpr int64_t kImpatientNs = 1'000'000;  // once the capture's patience is used up
constexpr int kMaxMisses = 2 * kMaxDepth;    // rules learned for one slot
constexpr int kMaxMoves = 64;  // times that a goroutine stopped or began running while we looked

// What the handler fills in. On the asker's stack: interrupt() returns only when no handler will
// run.
struct Request {
  Probe& out;
  Walk walk{};
};

// Takes a reference of the labels while the goroutine stands still; afterwards keep_labels must
// follow, which may free the labels met before.
void ref_labels(const Probe& out) {
  if (out.g.labels && out.g.labels != out.labels) introspect::ref_labels(out.g.labels);
}
void keep_labels(Probe& out) {
  if (!out.g.labels || out.g.labels == out.labels) return;
  if (out.labels) introspect::unref_labels(out.labels);
  out.labels = out.g.labels;
}

uint32_t bytes_in_use(const Registers& regs, const Goroutine& g) {
  if (regs.sp < g.stack_lo || regs.sp >= g.stack_hi) return 0;
  return static_cast<uint32_t>(std::min<uintptr_t>(g.stack_hi - regs.sp, UINT32_MAX));
}

// In the signal handler of the asked thread. Async-signal-safe. Copies through volatile, so that
// the compiler makes no call of memcpy out of it: sanitizers watch that one.
void answer(const Goroutine& g, const Registers& regs, void* arg) {
  auto& request = *static_cast<Request*>(arg);
  static_assert(sizeof g % sizeof(uint64_t) == 0 && alignof(Goroutine) >= alignof(uint64_t));
  auto* to = reinterpret_cast<volatile uint64_t*>(&request.out.g);
  const auto* from = reinterpret_cast<const volatile uint64_t*>(&g);
  for (size_t i = 0; i < sizeof g / sizeof(uint64_t); ++i) to[i] = from[i];
  ref_labels(request.out);
  request.out.stack_bytes = bytes_in_use(regs, g);
  request.walk = unwind(regs, g.stack_lo, g.stack_hi, true, request.out.stack);
}

// Asks the thread that runs this goroutine. False: no answer.
bool ask(size_t slot, uint64_t goid, int64_t timeout_ns, Probe& out, Walk& walk) {
  Request request{out};
  if (!introspect::interrupt(slot, goid, &answer, &request, timeout_ns)) return false;
  walk = request.walk;
  keep_labels(out);
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
  out.known_stack = WalkMemo::kNone;
  context.traced = false;
  for (;;) {
    Registers regs;
    Walk walk{true, 0};
    switch (introspect::hold(slot, out.g, regs, context.detail)) {
      case Scan::empty:
        return Seen::nobody;
      case Scan::held: {
        const uint64_t start = ticks();
        ref_labels(out);
        out.known_stack = context.memo.find(regs, out.g.stack_hi);
        if (out.known_stack == WalkMemo::kNone) {
          context.traced = !context.memo.full();
          context.regs = regs;
          walk = unwind(regs, out.g.stack_lo, out.g.stack_hi, false, out.stack, 0,
                        context.traced ? &context.trace : nullptr);
        }
        introspect::release(slot);
        out.stack_bytes = bytes_in_use(regs, out.g);
        const uint64_t held = ticks() - start;
        if (held > context.longest_hold) context.longest_hold = held;
        keep_labels(out);
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
        out.stack_bytes = 0;
        return Seen::goroutine;
      }
    }
    if (walk.complete || ++misses > kMaxMisses || !rules::learn(walk.missing))
      return Seen::goroutine;
  }
}

}  // namespace weir::profiler
