// Reader: the goroutines of another process -> SnapshotBuilder -> Snapshot. Stacks are walked by
// the rules, and named by the symbols, of that process's modules.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <weir/profiler/snapshot.h>

#include "../probe.h"
#include "../rules.h"
#include "../snapshot_builder.h"
#include "../symbolize.h"
#include "contexts.h"
#include "foreign_modules.h"
#include "offsets.h"
#include "sightings.h"
#include "slots.h"

namespace weir::profiler::post_mortem {

class Reader {
 public:
  // Throws profiler::error: there is no weir runtime.
  Reader(ForeignModules& modules, Memory& memory);

  // A process that stands still for good: everything. Times are until the last thing that happened.
  void read_still(const std::vector<Thread>& threads);

  // A process that runs: what stands still by itself. True: there is more, for which it has to be
  // stopped.
  bool read_running();
  // While it is stopped, until the deadline at most (steady clock, ns): copies alone are made.
  // True: everything was seen; else it is to be stopped again, or, where it is the `last` time,
  // what was not seen is shown without a stack.
  bool copy_stopped(const std::vector<Thread>& threads, int64_t deadline_ns, bool last);
  // When it runs again: looks into the copies.
  void digest_copies();
  // The owners of locks that are gone: of a process that runs.
  void find_dead_owners();

  // Not all that there is could be read.
  bool incomplete() const { return incomplete_; }

  // The goroutines, their places and contexts; the rest is the caller's.
  Snapshot finish();

 private:
  uint64_t ticks_now() const;
  int64_t ns_since(uint64_t since) const;
  void digest(const Sighting& s, const Sightings& of, std::vector<size_t>* cut);
  bool walk(const Sighting& s, const introspect::Goroutine& g);
  void add_contexts();
  void owners_that_were_not_met_are_dead();

  Memory& memory_;
  const RuntimeLayout layout_;
  const Offsets offsets_;
  const Slots slots_;
  Sightings sightings_;
  Contexts contexts_;
  RuleTable rules_;
  Symbolizer symbolizer_;
  SnapshotBuilder builder_;
  Probe probe_;
  bool incomplete_ = false;
  uint64_t fixed_now_ = 0;  // ticks, of a process that stands still; 0: it runs
  bool constant_ticks_ = false, cpu_accounting_ = false;
  double ns_per_tick_ = 1;
  std::vector<size_t> restless_;  // slots
  struct Copy {
    std::unique_ptr<Sightings> of;
    std::span<Sighting> seen;
    uint64_t ticks;
  };
  std::vector<Copy> copies_;
};

}  // namespace weir::profiler::post_mortem
