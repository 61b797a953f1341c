// Probe: what one slot of the scheduler holds at one instant: the goroutine's record and its raw
// stack.
//
// A parked goroutine is held for the time of its walk. A running one is asked by signal, and walks
// its own stack in the handler.
#pragma once

#include <weir/introspect.h>

#include <cstddef>
#include <cstdint>

#include "unwind.h"
#include "walk_memo.h"

namespace weir::profiler {

struct Probe {
  Probe() = default;
  ~Probe() {
    if (labels) introspect::unref_labels(labels);
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  introspect::Goroutine g;
  uint32_t known_stack = WalkMemo::kNone;  // what the memo said; then `stack` is not filled
  RawStack stack;                          // depth 0: no stack could be had
  uint32_t stack_bytes = 0;                // in use; 0: not known
  // The last labels that were met, with a reference; g.labels is this or null. It is kept from one
  // probe to the next, since goroutines of the same labels tend to follow each other.
  const introspect::LabelSet* labels = nullptr;
};

enum class Seen : uint8_t {
  nobody,     // the slot is empty
  goroutine,  // or a thread that waits
  bystander,  // a thread that exists but does not wait in weir; only g.goid is filled
};

// One capture's budget and measurements.
struct ProbeContext {
  WalkMemo memo;
  WalkTrace trace;               // of the last walk, where `traced`
  introspect::Registers regs{};  // that it started from
  bool traced = false;
  introspect::Detail detail = introspect::Detail::objects;
  uint64_t longest_hold = 0;          // ticks
  int64_t patience_ns = 500'000'000;  // for all threads that do not answer, together
};

// Looks at a slot. May take locks and read files (to learn rules), but never while a goroutine is
// held.
Seen probe(size_t slot, ProbeContext& context, Probe& out);

// A clock for holds: cheap, monotonic per CPU, of unknown rate.
uint64_t ticks() noexcept;

}  // namespace weir::profiler
