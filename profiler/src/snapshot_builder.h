// SnapshotBuilder: probes of goroutines, one after the other -> Snapshot.
//
// Made for a million goroutines: each costs nothing here but, from Detail::members on, 60 bytes (a
// Member and its group's index, in chunks that are given back while the groups are filled); stacks,
// locations, names, labels and objects are stored once. Program counters are interned while
// goroutines are added and symbolized once, in finish().
#pragma once

#include <weir/introspect.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/profiler/snapshot.h>

#include "probe.h"
#include "stack_table.h"
#include "symbolize.h"

namespace weir::profiler {

class SnapshotBuilder {
 public:
  explicit SnapshotBuilder(Detail detail);
  ~SnapshotBuilder();

  // Returns the number of its stack, which Probe::known_stack may have for others.
  uint32_t add(size_t slot, const Probe& probe) {
    return add(slot, probe, intern_labels(probe.g.labels));
  }
  // The same, with labels that are in no memory of ours: their number, by intern_labels.
  using Labels = std::vector<std::pair<std::string, std::string>>;
  uint32_t add(size_t slot, const Probe& probe, uint32_t labels);
  uint32_t intern_labels(Labels labels);
  void add(const introspect::Context& context);
  // One that exists but is not shown. Owners of locks are looked for among these, too.
  void add_bystander(uint64_t goid) { bystanders_.push_back(goid); }

  // Adds what another builder has seen, who has looked at other slots. Both of Detail::groups.
  void absorb(const SnapshotBuilder& other);

  // An owner of a lock that was not met, and one goroutine that was seen waiting for that lock.
  struct Missing {
    uint64_t owner;
    uint64_t address;  // of the lock
    uint32_t object;   // to be given to owner_is_dead
    size_t slot;       // of the goroutine that waits
    uint64_t goid;
  };
  // Until told otherwise, every owner counts as alive.
  std::vector<Missing> missing_owners() const;
  void owner_is_dead(uint32_t object) { snapshot_.objects[object].owner_alive = false; }

  // Everything but the times. The builder is used up.
  Snapshot finish(Symbolizer& symbolizer = own_symbolizer());

 private:
  struct GroupKey {
    const void* gopc;
    uint32_t stack;
    uint32_t labels;    // index into labels_
    uint32_t creation;  // introspect::Goroutine::creation_stack
    State state;
    introspect::WaitReason reason;
    introspect::ObjectKind object;
    bool thread;
    bool locked;
    bool operator==(const GroupKey&) const = default;
  };
  struct GroupKeyHash {
    size_t operator()(const GroupKey& k) const noexcept;
  };
  using ContextKey = std::tuple<const void*, introspect::ContextKind, std::string_view>;
  struct Chunk;
  struct Waiter {
    uint32_t object;
    size_t slot;
    uint64_t goid;
  };

  uint32_t intern_location(uint64_t address);
  uint32_t intern_return_address(const void* pc);
  uint32_t intern_text(const char* text);
  uint32_t intern_labels(const introspect::LabelSet* set);
  uint32_t group_of(const GroupKey& key);
  void add_member(size_t slot, const Probe& probe, uint32_t group);
  void add_objects(size_t slot, const introspect::Goroutine& g, Member& member);
  Object make_object(const introspect::Goroutine& g, uint32_t i);
  void fill_members();
  void fill_stacks();
  void fill_creation_stacks();
  void sort_groups();
  void sort_contexts();

  const Detail detail_;
  Snapshot snapshot_;
  StackTable stacks_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::unordered_map<GroupKey, uint32_t, GroupKeyHash> groups_;
  // In front of groups_: goroutines that are many are alike.
  struct CachedGroup {
    GroupKey key{};
    uint32_t group = kNone;
  };
  static constexpr size_t kCachedGroups = 256;
  std::array<CachedGroup, kCachedGroups> cache_;
  std::unordered_map<uint64_t, uint32_t> locations_;  // address -> index
  std::unordered_map<std::string, uint32_t> texts_;   // -> index into Snapshot::strings
  std::map<Labels, uint32_t> labels_by_text_{{{}, 0}};
  std::vector<const Labels*> labels_{&labels_by_text_.begin()->first};  // the first: none
  // Sets that were met, each with a reference: so that an address means one set for the whole
  // capture.
  std::unordered_map<const introspect::LabelSet*, uint32_t> label_sets_;
  const introspect::LabelSet* last_set_ = nullptr;
  uint32_t last_labels_ = 0;
  std::unordered_map<uint64_t, uint32_t> latest_objects_;  // address -> index of its latest record
  std::map<ContextKey, uint32_t> contexts_;                // place, kind, state -> index
  std::vector<Waiter> owned_;                              // objects with an owner
  std::vector<uint64_t> bystanders_;
};

}  // namespace weir::profiler
