// Who is there (present.h). One that runs is asked by signal for its mark.
//
// This file is compiled without sanitizers: answer() runs in signal handlers.
#include "present.h"

#include <weir/go.h>
#include <weir/introspect.h>

#include <chrono>
#include <cstddef>
#include <optional>

namespace weir::testing {

namespace {

using introspect::Goroutine;
using introspect::LabelSet;
using introspect::Registers;
using introspect::Scan;
using introspect::State;

constexpr int64_t kAnswerNs = 100'000'000;  // how long one thread is waited for
constexpr int kMaxAsks = 64;  // times that a goroutine stopped or began running while we looked

// A reference is taken while the goroutine stands still, and given back here.
bool take_mark(const LabelSet* set, uint64_t mark) {
  if (!set) return false;
  const bool has = introspect::has_mark(set, mark);
  introspect::unref_labels(set);
  return has;
}

// In the signal handler of the asked thread. Async-signal-safe.
void answer(const Goroutine& g, const Registers&, void* arg) {
  if (g.labels) introspect::ref_labels(g.labels);
  *static_cast<const LabelSet**>(arg) = g.labels;
}

using Clock = std::chrono::steady_clock;
int64_t ns_since(Clock::time_point start) {
  return std::chrono::nanoseconds(Clock::now() - start).count();
}

bool is_busy(State state) { return state != State::waiting && state != State::copystack; }

// Nothing: no goroutine lives there.
std::optional<Present> look(size_t slot, uint64_t mark, uint64_t self) {
  const auto start = Clock::now();
  for (int asks = 0;; ++asks) {
    Goroutine g;
    Registers regs;
    const Scan scan = introspect::hold(slot, g, regs, introspect::Detail::group);
    if (scan == Scan::empty) return std::nullopt;
    const LabelSet* labels = nullptr;
    if (scan == Scan::held) {
      if (mark != 0 && g.labels) introspect::ref_labels(labels = g.labels);
      introspect::release(slot);
    }
    if (g.thread) return std::nullopt;
    Present p{g.goid, g.parent_goid, false, false, is_busy(g.state), g.since_ns};
    if (scan == Scan::running && mark != 0 && g.goid != self &&
        !introspect::interrupt(slot, g.goid, &answer, &labels, kAnswerNs)) {
      // It stopped running meanwhile, or does not answer.
      if (asks < kMaxAsks && ns_since(start) < kAnswerNs) continue;
      p.unknown = true;
      return p;
    }
    p.marked = take_mark(labels, mark);
    return p;
  }
}

}  // namespace

std::vector<Present> present(uint64_t mark) {
  const uint64_t self = goid();
  std::vector<Present> all;
  for (size_t slot = 0; slot < introspect::slot_count(); ++slot) {
    if (const auto p = look(slot, mark, self)) all.push_back(*p);
  }
  return all;
}

}  // namespace weir::testing
