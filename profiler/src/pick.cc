// pick_group and pick_goroutine (groups.h). Both choose members by their place and leave the rest
// to prune.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include <weir/profiler/groups.h>

#include "encode.h"
#include "prune.h"

namespace weir::profiler {

namespace {

// The goroutines that `wanted` names stay, of everybody else the number.
Snapshot keep(Snapshot s, const std::unordered_set<uint64_t>& wanted) {
  size_t n = 0;
  for (size_t i = 0; i < s.groups.size(); ++i) {
    Group& g = s.groups[i];
    const uint64_t before = g.count;
    std::erase_if(g.members, [&](const Member& m) { return !wanted.contains(m.goid); });
    g.members.shrink_to_fit();
    g.count = g.members.size();
    g.wait_ns = g.oldest_ns = -1;  // the members have them
    const uint64_t away = before - std::min(before, g.count);
    s.left_out = encode::saturating_add(s.left_out, away);
    if (!g.thread) s.total -= std::min(s.total, away);
    if (g.members.empty()) continue;
    if (n != i) s.groups[n] = std::move(g);
    ++n;
  }
  s.groups.erase(s.groups.begin() + static_cast<ptrdiff_t>(n), s.groups.end());
  s.contexts.clear();
  prune(s);
  return s;
}

// Members by goid, the first of each. One array, at most half full: of a million goroutines two or
// three are asked for, and a node for each would take longer than to look at all of them.
class MemberTable {
 public:
  explicit MemberTable(const std::vector<Group>& groups) {
    size_t n = 0;
    for (const Group& g : groups) n += g.members.size();
    slots_.resize(std::bit_ceil(2 * n + 2));
    for (const Group& g : groups) {
      for (const Member& m : g.members) {
        const Member*& slot = slots_[slot_of(m.goid)];
        if (!slot) slot = &m;
      }
    }
  }
  const Member* find(uint64_t goid) const { return slots_[slot_of(goid)]; }

 private:
  // Where it is, or would be: there is always a free one to end at.
  size_t slot_of(uint64_t goid) const {
    const size_t mask = slots_.size() - 1;
    size_t i = (goid * 0x9e3779b97f4a7c15) >> 32 & mask;
    while (slots_[i] && slots_[i]->goid != goid) i = (i + 1) & mask;
    return i;
  }

  std::vector<const Member*> slots_;
};

// What goroutines have to do with each other.
class Relations {
 public:
  explicit Relations(const Snapshot& s) : s_(s), by_goid_(s.groups) {}

  const Member* find(uint64_t goid) const { return by_goid_.find(goid); }

  template <class F>
  void each_object(const Member& m, F f) const {
    const uint64_t end = uint64_t{m.first_object} + m.object_count;
    for (uint64_t i = m.first_object; i < std::min<uint64_t>(end, s_.objects.size()); ++i) {
      f(s_.objects[i]);
    }
  }

  // Its creators; a goroutine of a snapshot from elsewhere may be its own.
  void add_creators(const Member& m, std::unordered_set<uint64_t>& to) const {
    const Member* at = find(m.parent_goid);
    while (at && to.insert(at->goid).second) at = find(at->parent_goid);
  }

  // Who owns what it waits for, and so on.
  void add_owners(const Member& m, std::unordered_set<uint64_t>& to) const {
    std::vector<const Member*> todo{&m};
    std::unordered_set<uint64_t> seen{m.goid};
    while (!todo.empty()) {
      const Member& next = *todo.back();
      todo.pop_back();
      each_object(next, [&](const Object& o) {
        const Member* const owner = o.owner_goid != 0 ? find(o.owner_goid) : nullptr;
        if (!owner || !seen.insert(owner->goid).second) return;
        to.insert(owner->goid);
        todo.push_back(owner);
      });
    }
  }

  void add_companions(const Member& m, size_t most, std::unordered_set<uint64_t>& to) const {
    std::unordered_set<uint64_t> objects;
    each_object(m, [&](const Object& o) {
      if (o.address != 0) objects.insert(o.address);
    });
    if (objects.empty()) return;
    for (const Group& g : s_.groups) {
      for (const Member& other : g.members) {
        if (most == 0) return;
        bool is_one = false;
        each_object(other, [&](const Object& o) { is_one |= objects.contains(o.address); });
        if (is_one && to.insert(other.goid).second) --most;
      }
    }
  }

 private:
  const Snapshot& s_;
  const MemberTable by_goid_;
};

}  // namespace

Snapshot pick_group(Snapshot s, uint64_t id, size_t most) {
  const std::vector<uint64_t> ids = group_ids(s);
  std::vector<const Member*> members;
  for (size_t i = 0; i < s.groups.size(); ++i) {
    if (ids[i] != id) continue;
    for (const Member& m : s.groups[i].members) members.push_back(&m);
  }
  const size_t n = std::min(most, members.size());
  std::partial_sort(members.begin(), members.begin() + static_cast<ptrdiff_t>(n), members.end(),
                    [](const Member* a, const Member* b) {
                      return a->since_ns != b->since_ns ? a->since_ns > b->since_ns
                                                        : a->goid < b->goid;
                    });
  std::unordered_set<uint64_t> wanted;
  for (size_t i = 0; i < n; ++i) wanted.insert(members[i]->goid);
  return keep(std::move(s), wanted);
}

Snapshot pick_goroutine(Snapshot s, uint64_t goid, size_t most) {
  std::unordered_set<uint64_t> wanted;
  {
    const Relations relations(s);
    if (const Member* const m = relations.find(goid)) {
      wanted.insert(goid);
      relations.add_creators(*m, wanted);
      relations.add_owners(*m, wanted);
      relations.add_companions(*m, most, wanted);
    }
  }
  return keep(std::move(s), wanted);
}

}  // namespace weir::profiler
