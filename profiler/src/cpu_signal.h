// The signal side of the CPU profile: the handler of SIGPROF writes a sample into one of a bounded
// number of places, the collector (cpu_profile.cc) takes it out.
//
// The handler walks the stack by the rules that are known. Where one is missing, or the stack is
// that of a thread which weir does not know, it leaves a copy of the stack's first kCopy bytes
// instead, and the collector, which can learn rules, walks that. So every sample is complete, but
// for stacks that are deeper than the copy at their first appearance. Memory that nobody has told
// the bounds of is read through /proc/self/mem, which fails where there is none.
//
// A place is free, being written by one handler, or full; the memory of all lives as long as the
// process, so that a handler may come late. cpu_signal.cc is compiled without sanitizers.
#pragma once

#include <weir/introspect.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "unwind.h"

namespace weir::profiler::cpu_signal {

inline constexpr size_t kPlaces = 512;
inline constexpr size_t kCopy = 32 << 10;  // bytes

struct Place {
  enum : uint32_t { kFree, kWriting, kFull };
  std::atomic<uint32_t> state;
  uint32_t profile;  // the number of the profile that it belongs to
  uint32_t weight;   // periods of the timer that it stands for
  introspect::Registers regs;
  const introspect::LabelSet* labels;  // with a reference; null: none
  uintptr_t copied_from;               // where the copied stack belongs
  size_t copied;                       // bytes; 0: `stack` is complete, or there is no more to know
  RawStack stack;
  alignas(16) std::byte copy[kCopy];
};

// Memory and the handler. Throws std::runtime_error where somebody else has one, std::bad_alloc.
void install();

// From here on signals are taken; until there no more, and no handler is under way.
void begin();
void end() noexcept;

// Calls take(place) for each full place of the present profile, and frees them.
template <class F>
void drain(F take);

// Samples of the present profile for which there was no place.
uint64_t dropped() noexcept;

// What the timers of threads bear as their sigval.
const void* timer_mark() noexcept;

// --- for drain ---
Place* places() noexcept;
uint32_t current_profile() noexcept;

template <class F>
void drain(F take) {
  Place* all = places();
  for (size_t i = 0; i < kPlaces; ++i) {
    Place& place = all[i];
    if (place.state.load(std::memory_order_acquire) != Place::kFull) continue;
    if (place.profile == current_profile()) take(place);
    if (place.labels) introspect::unref_labels(place.labels);
    place.state.store(Place::kFree, std::memory_order_release);
  }
}

}  // namespace weir::profiler::cpu_signal
