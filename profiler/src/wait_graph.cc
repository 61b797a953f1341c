// WaitGraph (wait_graph.h): members of groups and their objects, put together into nodes.
//
// Who is stuck is decided per goroutine and per object before anything is put together, and is part
// of what makes nodes one. All waits of a capture overlap only where they are longer than it took,
// so what follows from several goroutines together counts only then (see lock_cycles).
#include <weir/profiler/wait_graph.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <span>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "frames.h"
#include "pattern.h"
#include "wait_facts.h"

namespace weir::profiler {

namespace {

using Stuck = WaitGraph::Stuck;

constexpr size_t kMaxGoids = 8, kMaxFrames = 12;

// May be waiting for another goroutine, as far as its reason tells.
bool waits_for_others(const Group& g) {
  const std::string_view r = g.wait_reason;
  return g.state == State::waiting && (r.starts_with("chan ") || r.starts_with("select") ||
                                       r.starts_with("sync.") || r.starts_with("semacquire"));
}

class Builder {
 public:
  Builder(const Snapshot& s, const WaitGraphOptions& options)
      : s_(s), facts_(s), focus_("focus", options.focus), ignore_("ignore", options.ignore) {
    for (const auto& [name, text] :
         {std::pair("focus=", &options.focus), {"ignore=", &options.ignore}}) {
      if (!text->empty()) out_.filters.push_back(name + *text);
    }
    if (s.left_out > 0) {
      out_.filters.push_back("left out by a filter: " + std::to_string(s.left_out));
    }
  }

  WaitGraph build(size_t nodecount) {
    std::vector<bool> in_focus(s_.groups.size()), is_ignored(s_.groups.size());
    for (uint32_t g = 0; g < s_.groups.size(); ++g) {
      const auto [focused, ignored] = selected(s_.groups[g]);
      in_focus[g] = focused;
      is_ignored[g] = ignored;
      out_.total += s_.groups[g].count;
    }
    // Owners of what those in focus wait for are shown, and what these wait for, and so on.
    for (uint32_t g = 0; g < s_.groups.size(); ++g) {
      if (in_focus[g] && !is_ignored[g]) want_owners_of(s_.groups[g]);
    }
    if (!wanted_.empty()) want_owners_of_owners();

    for (uint32_t g = 0; g < s_.groups.size(); ++g) {
      add(s_.groups[g], g, in_focus[g], is_ignored[g]);
    }
    finish_objects();
    finish_owners();
    for (const auto& [key, count] : waits_) {
      const auto& [from, to, what] = key;
      const bool is_cycle = out_.goroutines[from].stuck == Stuck::lock_cycle &&
                            out_.objects[to].stuck == Stuck::lock_cycle;
      out_.edges.push_back(
          {WaitGraph::Relation::waits_for, from, to, count, std::string(what), is_cycle});
    }
    out_.cycles = facts_.cycles();
    out_.process = s_.process;
    out_.taken_at_ns = s_.taken_at_ns;
    for (const auto& g : out_.goroutines) out_.shown += g.count;
    sort();
    if (nodecount > 0) fold(nodecount);
    return std::move(out_);
  }

 private:
  std::pair<bool, bool> selected(const Group& g) const {
    if (!focus_ && !ignore_) return {true, false};
    bool focused = !focus_, ignored = false;
    for (const Frame& f : shown_frames_of(s_, g)) {
      focused |= focus_.matches(f.function) || focus_.matches(f.file);
      ignored |= ignore_.matches(f.function) || ignore_.matches(f.file);
    }
    return {focused, ignored};
  }

  void want_owners_of(const Group& g) {
    for (const Member& m : g.members) {
      const Object* lock = facts_.lock_of(m);
      if (lock && lock->owner_goid != 0 && lock->owner_alive) wanted_.insert(lock->owner_goid);
    }
  }

  // Along the chains: each owner waits for at most one lock.
  void want_owners_of_owners() {
    std::vector<uint64_t> todo(wanted_.begin(), wanted_.end());
    while (!todo.empty()) {
      const uint64_t next = facts_.waits_for_owner(todo.back());
      todo.pop_back();
      if (next != 0 && wanted_.insert(next).second) todo.push_back(next);
    }
  }

  void add(const Group& g, uint32_t index, bool in_focus, bool is_ignored) {
    if (g.members.empty()) {  // counts only
      if (is_ignored || !in_focus) {
        out_.dropped += g.count;
      } else if (!waits_for_others(g)) {
        out_.unrelated += g.count;
      } else {
        count_in(node_of(g, index, facts_.stuck_by_reason(g), 0), g.count, g.oldest_ns);
      }
      return;
    }
    for (uint32_t m = 0; m < g.members.size(); ++m) {
      const Member& member = g.members[m];
      const bool is_owner = wanted_.contains(member.goid);
      if (is_ignored || (!in_focus && !is_owner)) {
        ++out_.dropped;
        continue;
      }
      const auto objects = facts_.objects_of(member);
      if (!is_owner && objects.empty() && !waits_for_others(g)) {
        ++out_.unrelated;
        continue;
      }
      const uint32_t node = node_of(g, index, facts_.stuck(g, member), facts_.cycle_class(member));
      count_in(node, 1, member.since_ns);
      goids_.emplace_back(node, member.goid);
      if (is_owner) owner_nodes_.emplace(member.goid, node);
      add_waits(node, objects);
    }
  }

  // A select that waits for several objects of one node is one goroutine that waits for that node.
  void add_waits(uint32_t node, std::span<const Object> objects) {
    std::vector<std::pair<uint32_t, std::string_view>> met;
    for (const Object& o : objects) {
      const auto index = static_cast<uint32_t>(&o - s_.objects.data());
      const uint32_t object = object_node(facts_.canonical(index));
      seen_.emplace_back(object, o.address);
      const std::pair<uint32_t, std::string_view> wait(object, direction(o));
      if (std::find(met.begin(), met.end(), wait) != met.end()) continue;
      met.push_back(wait);
      ++waits_[{node, wait.first, wait.second}];
    }
  }

  static std::string_view direction(const Object& o) {
    if (o.kind == "chan") return o.send ? "send" : "receive";
    if (o.kind == "io") return o.send ? "write" : "read";
    return "";
  }

  uint32_t node_of(const Group& g, uint32_t index, Stuck stuck, uint32_t cycle) {
    const auto [same_group, is_new_group] = by_group_.try_emplace({index, stuck, cycle}, 0);
    if (!is_new_group) return same_group->second;

    WaitGraph::Goroutines node;
    node.stack = shown_frames_of(s_, g);
    if (!node.stack.empty()) node.blocked_at = node.stack.front();
    if (node.stack.size() > kMaxFrames) node.stack.resize(kMaxFrames);
    node.created_by = frame_at(s_, g.created_by);
    node.state =
        g.wait_reason.empty() ? encode::state_name(g.state) : std::string_view(g.wait_reason);
    node.stuck = stuck;
    node.thread = g.thread;
    std::string key;
    for (const Frame* f : {&node.blocked_at, &node.created_by}) {
      key.append(f->function).append("\0", 1).append(f->file).append("\0", 1);
      key.append(std::to_string(f->line)).append("\0", 1);
    }
    key.append(node.state).append({'\0', static_cast<char>(stuck), g.thread ? 't' : 'g'});
    key.append(std::to_string(cycle));
    const auto [known, is_new] =
        goroutine_ids_.try_emplace(std::move(key), static_cast<uint32_t>(out_.goroutines.size()));
    if (is_new) out_.goroutines.push_back(std::move(node));
    return same_group->second = known->second;
  }

  void count_in(uint32_t node, uint64_t count, int64_t since_ns) {
    WaitGraph::Goroutines& g = out_.goroutines[node];
    g.count += count;
    g.oldest_ns = std::max(g.oldest_ns, since_ns);
  }

  // Objects alike: what they are and where they were made, not what has happened to them.
  uint32_t object_node(uint32_t object) {
    const Object& o = s_.objects[object];
    const Stuck stuck = facts_.stuck(object);
    const bool has_owner = o.owner_goid != 0;
    const Shape shape{o.kind,  o.made_at, o.cap,     o.closed,  o.timer,
                      o.armed, stuck,     has_owner, o.network, facts_.cycle_class(object)};
    const auto [known, is_new] =
        object_ids_.try_emplace(shape, static_cast<uint32_t>(out_.objects.size()));
    if (is_new) {
      WaitGraph::Object& node = out_.objects.emplace_back();
      node.kind = o.kind;
      node.stuck = stuck;
      node.made_at = frame_at(s_, o.made_at);
      node.example = o;
      node.detail = describe(s_, o);
      node.places = places_of(s_, o);
    }
    if (has_owner) holds_.emplace_back(known->second, o.owner_goid, o.address);
    return known->second;
  }

  void finish_objects() {
    std::sort(seen_.begin(), seen_.end());
    seen_.erase(std::unique(seen_.begin(), seen_.end()), seen_.end());
    for (const auto& [object, address] : seen_) ++out_.objects[object].count;
    std::sort(goids_.begin(), goids_.end());
    for (const auto& [node, goid] : goids_) {
      std::vector<uint64_t>& goids = out_.goroutines[node].goids;
      if (goids.size() < kMaxGoids) goids.push_back(goid);
    }
  }

  void finish_owners() {
    std::sort(holds_.begin(), holds_.end());
    holds_.erase(std::unique(holds_.begin(), holds_.end()), holds_.end());
    std::map<std::pair<uint32_t, uint32_t>, uint64_t> held;  // object, owner -> objects
    std::map<uint32_t, std::vector<uint64_t>> gone;          // object -> owners
    std::map<uint32_t, uint64_t> held_by_gone;               // object -> objects
    for (const auto& [object, owner, address] : holds_) {
      if (const auto node = owner_nodes_.find(owner); node != owner_nodes_.end()) {
        ++held[{object, node->second}];
      } else if (out_.objects[object].stuck == Stuck::owner_gone) {
        gone[object].push_back(owner);
        ++held_by_gone[object];
      }
    }
    for (const auto& [key, count] : held) {
      const auto& [object, owner] = key;
      const bool is_cycle = out_.objects[object].stuck == Stuck::lock_cycle &&
                            out_.goroutines[owner].stuck == Stuck::lock_cycle;
      out_.edges.push_back({WaitGraph::Relation::held_by, object, owner, count, "", is_cycle});
    }
    for (auto& [object, owners] : gone) {
      owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
      WaitGraph::Gone& to = out_.gone.emplace_back();
      to.count = owners.size();
      if (owners.size() > kMaxGoids) owners.resize(kMaxGoids);
      to.goids = std::move(owners);
      out_.edges.push_back({WaitGraph::Relation::held_by_gone, object,
                            static_cast<uint32_t>(out_.gone.size() - 1), held_by_gone[object], "",
                            false});
    }
  }

  void sort() {
    std::vector<uint32_t> order(out_.goroutines.size()), moved(order.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [this](uint32_t l, uint32_t r) {
      const auto &a = out_.goroutines[l], &b = out_.goroutines[r];
      const bool is_stuck = a.stuck != Stuck::no;
      return is_stuck != (b.stuck != Stuck::no) ? is_stuck : a.count > b.count;
    });
    std::vector<WaitGraph::Goroutines> sorted;
    for (const uint32_t i : order) {
      moved[i] = static_cast<uint32_t>(sorted.size());
      sorted.push_back(std::move(out_.goroutines[i]));
    }
    out_.goroutines = std::move(sorted);
    for (WaitGraph::Edge& e : out_.edges) {
      if (e.relation == WaitGraph::Relation::waits_for) e.from = moved[e.from];
      if (e.relation == WaitGraph::Relation::held_by) e.to = moved[e.to];
    }
  }

  // Keeps the nodes that matter most, with what they wait for, up to the bound.
  void fold(size_t nodecount);

  using Shape = std::tuple<std::string_view, uint32_t, uint64_t, bool, bool, bool, Stuck, bool,
                           uint32_t, uint32_t>;

  const Snapshot& s_;
  const WaitFacts facts_;
  const Pattern focus_, ignore_;
  WaitGraph out_;
  std::unordered_set<uint64_t> wanted_;  // goids of owners
  std::unordered_map<uint64_t, uint32_t> owner_nodes_;
  std::map<std::tuple<uint32_t, Stuck, uint32_t>, uint32_t> by_group_;  // group, why, cycle
  std::unordered_map<std::string, uint32_t> goroutine_ids_;
  std::map<Shape, uint32_t> object_ids_;
  std::map<std::tuple<uint32_t, uint32_t, std::string_view>, uint64_t> waits_;
  std::vector<std::pair<uint32_t, uint64_t>> goids_;             // node, goid
  std::vector<std::pair<uint32_t, uint64_t>> seen_;              // object node, address
  std::vector<std::tuple<uint32_t, uint64_t, uint64_t>> holds_;  // object node, owner, address
};

// Takes what `kept` marks, and tells where each went: kNone when it did not stay.
template <class T>
std::vector<uint32_t> keep(std::vector<T>& all, const std::vector<bool>& kept) {
  std::vector<uint32_t> moved(all.size(), kNone);
  uint32_t next = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!kept[i]) continue;
    if (next != i) all[next] = std::move(all[i]);
    moved[i] = next++;
  }
  all.resize(next);
  return moved;
}

void Builder::fold(size_t nodecount) {
  WaitGraph& g = out_;
  std::vector<std::vector<uint32_t>> waits(g.goroutines.size());
  for (const auto& e : g.edges) {
    if (e.relation == WaitGraph::Relation::waits_for) waits[e.from].push_back(e.to);
  }
  std::vector<bool> kept(g.goroutines.size()), kept_objects(g.objects.size()),
      kept_gone(g.gone.size());
  size_t used = 0;
  for (uint32_t node = 0; node < g.goroutines.size(); ++node) {
    size_t cost = 1;
    for (const uint32_t object : waits[node]) cost += !kept_objects[object];
    if (used + cost > nodecount && used > 0) {
      ++g.folded_nodes;
      g.folded += g.goroutines[node].count;
      g.shown -= g.goroutines[node].count;
      continue;
    }
    used += cost;
    kept[node] = true;
    for (const uint32_t object : waits[node]) kept_objects[object] = true;
  }
  for (const auto& e : g.edges) {
    if (e.relation == WaitGraph::Relation::held_by_gone && kept_objects[e.from]) {
      kept_gone[e.to] = true;
    }
  }
  const auto goroutines = keep(g.goroutines, kept), objects = keep(g.objects, kept_objects),
             gone = keep(g.gone, kept_gone);
  for (auto& e : g.edges) {
    const bool waits_for = e.relation == WaitGraph::Relation::waits_for;
    e.from = (waits_for ? goroutines : objects)[e.from];
    e.to = (waits_for                                    ? objects
            : e.relation == WaitGraph::Relation::held_by ? goroutines
                                                         : gone)[e.to];
  }
  std::erase_if(g.edges, [](const auto& e) { return e.from == kNone || e.to == kNone; });
}

}  // namespace

WaitGraph wait_graph(const Snapshot& s, const WaitGraphOptions& options) {
  return Builder(s, options).build(options.nodecount);
}

}  // namespace weir::profiler
