#include "snapshot_builder.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <new>
#include <string_view>
#include <tuple>
#include <utility>

#include "creation.h"
#include "symbol_tables.h"

namespace weir::profiler {

namespace {

State state_of(introspect::State s) {
  static_assert(static_cast<int>(introspect::State::copystack) ==
                static_cast<int>(State::copystack));
  return static_cast<State>(s);
}

// Equal in everything that a dump shows.
bool same(const Object& a, const Object& b) {
  const auto fields = [](const Object& o) {
    return std::tie(o.address, o.kind, o.made_at, o.send, o.closed, o.cap, o.len, o.sends, o.recvs,
                    o.handles, o.owner_goid, o.readers, o.locked_at, o.rlocked_at, o.counter,
                    o.adds, o.dones, o.added_at, o.done_at, o.waiters, o.signals, o.signalled_at,
                    o.timer, o.armed, o.fd, o.network, o.local, o.remote);
  };
  return fields(a) == fields(b);
}

// Negative: not known.
void add_time(Group& group, int64_t sum_ns, int64_t oldest_ns) {
  if (sum_ns < 0) return;
  if (__builtin_add_overflow(std::max<int64_t>(group.wait_ns, 0), sum_ns, &group.wait_ns)) {
    group.wait_ns = INT64_MAX;
  }
  group.oldest_ns = std::max(group.oldest_ns, oldest_ns);
}

}  // namespace

// Mapped and unmapped by itself: a million members go back to the kernel, not into malloc's arenas.
struct SnapshotBuilder::Chunk {
  static constexpr size_t kMembers = 16384;

  static void* operator new(size_t bytes) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    return at;
  }
  static void operator delete(void* at, size_t bytes) { munmap(at, bytes); }

  size_t used = 0;
  std::array<Member, kMembers> members;
  std::array<uint32_t, kMembers> groups;
};

SnapshotBuilder::SnapshotBuilder(Detail detail) : detail_(detail) {}
SnapshotBuilder::~SnapshotBuilder() {
  for (const auto& [set, index] : label_sets_) introspect::unref_labels(set);
}

size_t SnapshotBuilder::GroupKeyHash::operator()(const GroupKey& k) const noexcept {
  uint64_t h = reinterpret_cast<uintptr_t>(k.gopc) * 0xd6e8feb86659fd93U;
  h = (h ^ h >> 29 ^ (uint64_t{k.labels} << 32 | k.stack) ^ uint64_t{k.creation} << 16) *
      0x9fb21c651e98df25U;
  h ^= h >> 32 ^ (static_cast<uint64_t>(k.state) | static_cast<uint64_t>(k.reason) << 8 |
                  static_cast<uint64_t>(k.object) << 16 | static_cast<uint64_t>(k.thread) << 24 |
                  static_cast<uint64_t>(k.locked) << 25);
  h *= 0x9e3779b97f4a7c15U;
  return h ^ h >> 32;
}

uint32_t SnapshotBuilder::intern_location(uint64_t address) {
  const auto index = static_cast<uint32_t>(snapshot_.locations.size());
  const auto [found, is_new] = locations_.try_emplace(address, index);
  if (is_new) snapshot_.locations.push_back({address, 0, {}});
  return found->second;
}

// The call that returns to `pc`; also for addresses that current_pc() took, which are that of the
// instruction behind the one meant.
uint32_t SnapshotBuilder::intern_return_address(const void* pc) {
  return pc ? intern_location(reinterpret_cast<uintptr_t>(pc) - 1) : kNone;
}

uint32_t SnapshotBuilder::intern_text(const char* text) {
  if (*text == '\0') return 0;
  const auto index = static_cast<uint32_t>(snapshot_.strings.size());
  const auto [found, is_new] = texts_.try_emplace(text, index);
  if (is_new) snapshot_.strings.emplace_back(text);
  return found->second;
}

// The caller has a reference of the set.
uint32_t SnapshotBuilder::intern_labels(const introspect::LabelSet* set) {
  if (!set) return 0;
  if (set == last_set_) return last_labels_;
  last_set_ = nullptr;
  const auto [found, is_new] = label_sets_.try_emplace(set, 0);
  if (is_new) {
    introspect::ref_labels(set);
    Labels labels;
    const size_t n = introspect::label_count(set);
    labels.reserve(n);
    for (size_t i = 0; i < n; ++i) {
      const Label label = introspect::label_at(set, i);
      labels.emplace_back(label.key, label.value);
    }
    found->second = intern_labels(std::move(labels));
  }
  last_set_ = set;
  return last_labels_ = found->second;
}

uint32_t SnapshotBuilder::intern_labels(Labels labels) {
  const auto index = static_cast<uint32_t>(labels_.size());
  const auto [found, is_new] = labels_by_text_.try_emplace(std::move(labels), index);
  if (is_new) labels_.push_back(&found->first);
  return found->second;
}

uint32_t SnapshotBuilder::group_of(const GroupKey& key) {
  CachedGroup& cached = cache_[GroupKeyHash()(key) % kCachedGroups];
  if (cached.group != kNone && cached.key == key) return cached.group;
  const auto index = static_cast<uint32_t>(snapshot_.groups.size());
  const auto [found, is_new] = groups_.try_emplace(key, index);
  if (is_new) {
    Group& group = snapshot_.groups.emplace_back();
    group.stack = key.stack;
    group.state = key.state;
    group.wait_reason = introspect::to_string(key.reason);
    group.object_kind = introspect::to_string(key.object);
    group.created_by = intern_return_address(key.gopc);
    group.creation_stack = key.creation;  // its id, until fill_creation_stacks
    group.labels = *labels_[key.labels];
    group.thread = key.thread;
    group.locked = key.locked;
  }
  cached = {key, found->second};
  return found->second;
}

Object SnapshotBuilder::make_object(const introspect::Goroutine& g, uint32_t i) {
  const introspect::Object& o = g.objects[i];
  Object object;
  object.kind = introspect::to_string(o.kind);
  object.address = reinterpret_cast<uintptr_t>(o.address);
  object.made_at = intern_return_address(o.made_pc);
  object.send = o.send;
  object.closed = o.closed;
  object.cap = o.cap;
  object.len = o.len;
  object.sends = o.sends;
  object.recvs = o.recvs;
  object.handles = o.handles;
  object.owner_goid = o.owner_goid;
  object.owner_alive = o.owner_goid != 0;
  object.readers = o.readers;
  object.locked_at = intern_return_address(o.lock_pc);
  object.rlocked_at = intern_return_address(o.rlock_pc);
  object.counter = o.counter;
  object.adds = o.adds;
  object.dones = o.dones;
  object.added_at = intern_return_address(o.add_pc);
  object.done_at = intern_return_address(o.done_pc);
  object.waiters = o.waiters;
  object.signals = o.signals;
  object.signalled_at = intern_return_address(o.signal_pc);
  object.timer = o.timer;
  object.armed = o.armed;
  if (o.kind == introspect::ObjectKind::io) {
    object.fd = o.fd;
    object.network = intern_text(g.io_network);
    object.local = intern_text(g.io_local);
    object.remote = intern_text(g.io_remote);
  } else if (o.kind == introspect::ObjectKind::http_body) {
    object.status = o.status;
    object.method = intern_text(g.http_method);
    object.url = intern_text(g.http_url);
  }
  return object;
}

// Members refer to a range of objects. Who waits for one object alone shares its record with others
// that saw it the same; the objects of a select are stored one after the other.
void SnapshotBuilder::add_objects(size_t slot, const introspect::Goroutine& g, Member& member) {
  member.object_count = g.object_count;
  member.objects_total = g.objects_total;
  if (g.object_count == 0) return;
  const auto next = static_cast<uint32_t>(snapshot_.objects.size());
  member.first_object = next;
  if (g.object_count > 1) {
    for (uint32_t i = 0; i < g.object_count; ++i) {
      snapshot_.objects.push_back(make_object(g, i));
    }
    return;
  }
  Object object = make_object(g, 0);
  const auto [latest, is_new] = latest_objects_.try_emplace(object.address, next);
  if (!is_new && same(snapshot_.objects[latest->second], object)) {
    member.first_object = latest->second;
    return;
  }
  latest->second = next;
  if (object.owner_goid != 0) owned_.push_back({next, slot, g.goid});
  snapshot_.objects.push_back(std::move(object));
}

uint32_t SnapshotBuilder::add(size_t slot, const Probe& probe, uint32_t labels) {
  const introspect::Goroutine& g = probe.g;
  GroupKey key{};
  key.gopc = g.gopc;
  key.stack = probe.known_stack != WalkMemo::kNone ? probe.known_stack : stacks_.add(probe.stack);
  key.labels = labels;
  key.creation = g.creation_stack;
  key.state = state_of(g.state);
  if (g.state == introspect::State::waiting) {
    key.reason = g.wait_reason;
    key.object = g.object_kind;
  }
  key.thread = g.thread;
  key.locked = g.locked;
  const uint32_t index = group_of(key);
  Group& group = snapshot_.groups[index];
  group.count++;
  add_time(group, g.since_ns, g.since_ns);
  if (!g.thread) snapshot_.total++;
  if (detail_ != Detail::groups) add_member(slot, probe, index);
  return key.stack;
}

void SnapshotBuilder::add_member(size_t slot, const Probe& probe, uint32_t group) {
  const introspect::Goroutine& g = probe.g;
  if (chunks_.empty() || chunks_.back()->used == Chunk::kMembers) {
    chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
    chunks_.back()->used = 0;
  }
  Chunk& chunk = *chunks_.back();
  Member& member = chunk.members[chunk.used];
  member = {};
  member.goid = g.goid;
  member.parent_goid = g.parent_goid;
  member.since_ns = g.since_ns;
  member.name = intern_text(g.name);
  member.stack_bytes = probe.stack_bytes;
  member.cpu_ns = g.cpu_ns;
  if (detail_ == Detail::objects || g.object_kind == introspect::ObjectKind::io ||
      g.object_kind == introspect::ObjectKind::http_body) {
    add_objects(slot, g, member);
  }
  chunk.groups[chunk.used++] = group;
}

void SnapshotBuilder::add(const introspect::Context& context) {
  const std::string_view state = !context.cancelled          ? "active"
                                 : context.deadline_exceeded ? "deadline exceeded"
                                                             : "cancelled";
  const auto index = static_cast<uint32_t>(snapshot_.contexts.size());
  const auto [found, is_new] =
      contexts_.try_emplace(ContextKey{context.made_pc, context.kind, state}, index);
  if (is_new) {
    ContextGroup& group = snapshot_.contexts.emplace_back();
    group.kind = introspect::to_string(context.kind);
    group.state = state;
    group.made_at = intern_return_address(context.made_pc);
  }
  ContextGroup& group = snapshot_.contexts[found->second];
  group.count++;
  if (context.forgotten) group.forgotten++;
  group.waiters += context.waiters;
  if (group.oldest_maker_goid == 0 || context.age_ns > group.oldest_ns) {
    group.oldest_ns = context.age_ns;
    group.oldest_maker_goid = context.maker_goid;
  }
}

void SnapshotBuilder::absorb(const SnapshotBuilder& other) {
  std::vector<uint32_t> stacks, labels;  // their index there -> here
  const auto raw = std::make_unique<RawStack>();
  for (uint32_t i = 0; i < other.stacks_.size(); ++i) {
    const auto pcs = other.stacks_.pcs(i);
    std::ranges::copy(pcs, raw->pcs);
    raw->depth = static_cast<uint32_t>(pcs.size());
    raw->truncated = other.stacks_.truncated(i);
    rehash(*raw);
    stacks.push_back(stacks_.add(*raw));
  }
  for (const Labels* set : other.labels_) labels.push_back(intern_labels(*set));
  for (const auto& [its_key, index] : other.groups_) {
    const Group& from = other.snapshot_.groups[index];
    GroupKey key = its_key;
    key.stack = stacks[key.stack];
    key.labels = labels[key.labels];
    Group& to = snapshot_.groups[group_of(key)];
    to.count += from.count;
    add_time(to, from.wait_ns, from.oldest_ns);
  }
  snapshot_.total += other.snapshot_.total;
}

std::vector<SnapshotBuilder::Missing> SnapshotBuilder::missing_owners() const {
  if (owned_.empty()) return {};
  std::unordered_set<uint64_t> owners;
  for (const Waiter& w : owned_) owners.insert(snapshot_.objects[w.object].owner_goid);
  for (const uint64_t goid : bystanders_) owners.erase(goid);
  for (const auto& chunk : chunks_) {
    for (size_t i = 0; i < chunk->used; ++i) owners.erase(chunk->members[i].goid);
  }
  std::vector<Missing> missing;
  for (const Waiter& w : owned_) {
    const Object& o = snapshot_.objects[w.object];
    if (owners.contains(o.owner_goid)) {
      missing.push_back({o.owner_goid, o.address, w.object, w.slot, w.goid});
    }
  }
  return missing;
}

void SnapshotBuilder::fill_members() {
  if (detail_ == Detail::groups) return;
  for (Group& g : snapshot_.groups) g.members.reserve(g.count);
  for (auto& chunk : chunks_) {
    for (size_t i = 0; i < chunk->used; ++i) {
      snapshot_.groups[chunk->groups[i]].members.push_back(chunk->members[i]);
    }
    chunk.reset();
  }
  chunks_.clear();
  for (Group& g : snapshot_.groups) {
    const auto by_goid = [](const Member& a, const Member& b) { return a.goid < b.goid; };
    if (!std::is_sorted(g.members.begin(), g.members.end(), by_goid)) {
      std::sort(g.members.begin(), g.members.end(), by_goid);
    }
  }
}

void SnapshotBuilder::fill_stacks() {
  snapshot_.stacks.reserve(stacks_.size());
  for (uint32_t i = 0; i < stacks_.size(); ++i) {
    Stack& stack = snapshot_.stacks.emplace_back();
    stack.truncated = stacks_.truncated(i);
    stack.locations.reserve(stacks_.pcs(i).size());
    for (const uintptr_t pc : stacks_.pcs(i)) stack.locations.push_back(intern_location(pc));
  }
}

void SnapshotBuilder::fill_creation_stacks() {
  std::unordered_map<uint32_t, uint32_t> known;  // id -> index into Snapshot::stacks
  for (Group& g : snapshot_.groups) {
    const uint32_t id = g.creation_stack;
    const auto [found, is_new] = known.try_emplace(id, kNone);
    if (is_new && id != 0) {
      const creation::Stack from = creation::stack(id);
      Stack stack;
      stack.truncated = from.truncated;
      for (const uintptr_t pc : from.pcs) stack.locations.push_back(intern_location(pc));
      if (!from.pcs.empty()) {
        found->second = static_cast<uint32_t>(snapshot_.stacks.size());
        snapshot_.stacks.push_back(std::move(stack));
      }
    }
    g.creation_stack = found->second;
  }
}

void SnapshotBuilder::sort_groups() {
  const auto before = [this](const Group& a, const Group& b) {
    if (a.count != b.count) return a.count > b.count;
    if (a.stack != b.stack) {
      const auto pa = stacks_.pcs(a.stack), pb = stacks_.pcs(b.stack);
      if (!std::ranges::equal(pa, pb)) return std::ranges::lexicographical_compare(pa, pb);
      return a.stack < b.stack;
    }
    return std::tie(a.state, a.wait_reason, a.created_by, a.labels) <
           std::tie(b.state, b.wait_reason, b.created_by, b.labels);
  };
  std::sort(snapshot_.groups.begin(), snapshot_.groups.end(), before);
}

void SnapshotBuilder::sort_contexts() {
  const auto rank = [this](const ContextGroup& g) {
    const uint64_t address =
        g.made_at < snapshot_.locations.size() ? snapshot_.locations[g.made_at].address : 0;
    return std::tuple(~g.forgotten, ~g.count, address, std::string_view(g.kind),
                      std::string_view(g.state));
  };
  std::sort(snapshot_.contexts.begin(), snapshot_.contexts.end(),
            [&](const ContextGroup& a, const ContextGroup& b) { return rank(a) < rank(b); });
}

Snapshot SnapshotBuilder::finish(Symbolizer& symbolizer) {
  fill_members();
  fill_stacks();
  sort_groups();
  sort_contexts();
  fill_creation_stacks();
  name_locations(snapshot_, symbolizer);
  return std::move(snapshot_);
}

}  // namespace weir::profiler
