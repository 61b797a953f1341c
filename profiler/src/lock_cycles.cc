// Cycles of goroutines that wait for each other's locks (wait_graph.h).
//
// An edge leads from a goroutine that waits for a lock to the lock's owner. Strongly connected
// components by Tarjan's algorithm, without recursion; the few edges make it linear. A goroutine
// waits for one lock at a time, so a component is one cycle.
#include <weir/profiler/wait_graph.h>

#include <algorithm>
#include <string>
#include <unordered_map>

namespace weir::profiler {

namespace {

constexpr uint32_t kUnvisited = UINT32_MAX;

// A goroutine in the wait for a lock that has an owner, and all of whose wait lies before the
// capture's start.
struct Waiter {
  LockCycle::Link link;
  uint64_t owner = 0;
  uint32_t next = kNone;  // the owner's own wait, where it has one
  uint32_t order = kUnvisited, low = 0;
  bool on_stack = false;
};

bool is_lock(const std::string& kind) { return kind == "mutex" || kind == "rwmutex"; }

std::vector<Waiter> waiters(const Snapshot& s) {
  std::vector<Waiter> all;
  for (uint32_t g = 0; g < s.groups.size(); ++g) {
    const Group& group = s.groups[g];
    if (group.state != State::waiting || !is_lock(group.object_kind)) continue;
    for (uint32_t m = 0; m < group.members.size(); ++m) {
      const Member& member = group.members[m];
      if (member.object_count != 1 || member.first_object >= s.objects.size()) continue;
      const Object& o = s.objects[member.first_object];
      if (!is_lock(o.kind) || o.owner_goid == 0 || !o.owner_alive) continue;
      if (member.since_ns < 0 || member.since_ns < s.duration_ns) continue;
      all.push_back({{member.goid, g, m, member.first_object}, o.owner_goid});
    }
  }
  return all;
}

class Tarjan {
 public:
  explicit Tarjan(std::vector<Waiter>& all) : all_(all) {}

  // The cycle that is reached from `root` and has not been found before; empty: none.
  void visit(uint32_t root, std::vector<LockCycle>& cycles) {
    std::vector<uint32_t> path;  // what a recursive visit would have as its callers
    for (uint32_t at = root;;) {
      Waiter& w = all_[at];
      w.order = w.low = count_++;
      w.on_stack = true;
      stack_.push_back(at);
      path.push_back(at);
      if (w.next == kNone || all_[w.next].order != kUnvisited) break;
      at = w.next;
    }
    while (!path.empty()) {
      const uint32_t at = path.back();
      path.pop_back();
      Waiter& w = all_[at];
      if (w.next != kNone && all_[w.next].on_stack) w.low = std::min(w.low, all_[w.next].low);
      if (w.low == w.order) take_component(at, cycles);
    }
  }

 private:
  void take_component(uint32_t first, std::vector<LockCycle>& cycles) {
    LockCycle cycle;
    for (uint32_t at = kNone; at != first;) {
      at = stack_.back();
      stack_.pop_back();
      all_[at].on_stack = false;
      cycle.links.push_back(all_[at].link);
    }
    if (cycle.links.size() == 1 && all_[first].next != first) return;
    // In the order of the edges: each was pushed after the one that waits for it.
    std::reverse(cycle.links.begin(), cycle.links.end());
    std::rotate(cycle.links.begin(),
                std::min_element(cycle.links.begin(), cycle.links.end(),
                                 [](const auto& a, const auto& b) { return a.goid < b.goid; }),
                cycle.links.end());
    cycles.push_back(std::move(cycle));
  }

  std::vector<Waiter>& all_;
  std::vector<uint32_t> stack_;
  uint32_t count_ = 0;
};

}  // namespace

std::vector<LockCycle> lock_cycles(const Snapshot& s) {
  std::vector<Waiter> all = waiters(s);
  std::unordered_map<uint64_t, uint32_t> by_goid;
  for (uint32_t i = 0; i < all.size(); ++i) by_goid.try_emplace(all[i].link.goid, i);
  for (Waiter& w : all) {
    if (const auto owner = by_goid.find(w.owner); owner != by_goid.end()) w.next = owner->second;
  }
  std::vector<LockCycle> cycles;
  Tarjan tarjan(all);
  for (uint32_t i = 0; i < all.size(); ++i) {
    if (all[i].order == kUnvisited) tarjan.visit(i, cycles);
  }
  std::sort(cycles.begin(), cycles.end(), [](const LockCycle& a, const LockCycle& b) {
    return a.links.front().goid < b.links.front().goid;
  });
  return cycles;
}

}  // namespace weir::profiler
