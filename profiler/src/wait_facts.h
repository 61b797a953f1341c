// WaitFacts: per goroutine and per object of a snapshot, what the wait graph says of them: which
// record of an object counts, who owns what is waited for, and who can never go on.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/profiler/snapshot.h>
#include <weir/profiler/wait_graph.h>

namespace weir::profiler {

class WaitFacts {
 public:
  using Stuck = WaitGraph::Stuck;

  // The objects whose records are compared. `locks`: canonical() of any other is the object itself;
  // the cost is that of the goroutines that wait for locks, however many others there are.
  enum class Scope : uint8_t { all, locks };

  explicit WaitFacts(const Snapshot& s, Scope scope = Scope::all);

  size_t cycles() const { return cycles_; }
  // An object was seen by each of its waiters, at different times. The record that counts for all:
  // the first with an owner, else the first.
  uint32_t canonical(uint32_t object) const { return canonical_[object]; }
  // What a goroutine waits for; empty where it is not known.
  std::span<const Object> objects_of(const Member& m) const;
  // The lock among them (its record that counts); null: none.
  const Object* lock_of(const Member& m) const;
  // The owner of the lock that this owner of a lock waits for; 0: none.
  uint64_t waits_for_owner(uint64_t goid) const;

  // Why a wait can never end, by its reason alone: unless a context can end it, too, which the
  // stack of one of our own tells.
  Stuck stuck_by_reason(const Group& g) const;
  Stuck stuck(const Group& g, const Member& m) const;
  // Of one that is stuck behind others: why the last of these is.
  Stuck root(const Member& m) const;
  // Cycles alike, of goroutines of the same groups, are one class; 0: in none. Only these may be
  // put together, or a picture would show cycles that there are not.
  uint32_t cycle_class(const Member& m) const;
  uint32_t cycle_class(uint32_t object) const;
  // Why an object's waiters are stuck.
  Stuck stuck(uint32_t object) const;

 private:
  void choose_records(Scope scope);
  void find_stuck_owners();

  const Snapshot& s_;
  size_t cycles_ = 0;
  std::vector<uint32_t> canonical_;
  std::unordered_map<uint64_t, uint32_t> in_cycle_;       // goid -> class of its cycle
  std::unordered_map<uint32_t, uint32_t> cycle_objects_;  // record that counts -> class
  std::unordered_map<uint64_t, uint64_t> next_;  // owner -> owner of the lock that it waits for
  std::unordered_map<uint64_t, Stuck> stuck_owners_;  // goid -> why, of the last in its chain
};

// What is known of an object, in words: "cap 0, 3 sent, 3 received".
std::string describe(const Snapshot& s, const Object& o);
// Where what happened to it last: "locked", "last Add" ..
std::vector<std::pair<std::string, Frame>> places_of(const Snapshot& s, const Object& o);

}  // namespace weir::profiler
