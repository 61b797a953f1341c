// CallGraph by pprof's rules (call_graph.h).
//
// The graph is built from the stacks up to three times: all of it, to know which nodes are large
// enough; of those, to rank them; of the ones that are kept. A finished graph cannot be cut down
// instead, since a call by way of a node that is left out becomes a (residual) edge between others.
//
// Invariants: per stack each node and each edge counts once, however deep a function recurs; the
// goroutine itself (flat) counts where the innermost frame is a node that is kept.
#include <weir/profiler/call_graph.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "call_nodes.h"
#include "weighed_stacks.h"

namespace weir::profiler {

namespace {

constexpr uint32_t kNoNode = UINT32_MAX;
constexpr size_t kMaxTagsShown = 4, kMaxPlacesShown = 4;  // pprof: maxNodelets

uint64_t magnitude(int64_t n) {
  return n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
}

struct Edge {
  uint32_t from, to;
  int64_t weight = 0;
  bool residual = false, inlined = true;
  size_t last_sample = SIZE_MAX;
  bool dropped = false;
};

struct Tally {
  int64_t flat = 0, cum = 0;
};

// The graph of the nodes that are kept.
struct Build {
  std::vector<Tally> nodes;     // by node
  std::vector<uint32_t> alive;  // nodes with a number
  std::vector<Edge> edges;
  std::vector<std::vector<uint32_t>> in, out;  // by node: indexes into edges
  std::unordered_map<uint64_t, Tally> tags;    // node << 32 | tag
  std::vector<std::vector<uint32_t>> tags_of;  // by node: its tags
};

uint64_t pair_key(uint32_t a, uint32_t b) { return uint64_t{a} << 32 | b; }

Build build(const WeighedStacks& stacks, const CallNodes& nodes, const std::vector<bool>& kept) {
  Build b;
  b.nodes.resize(nodes.size());
  b.in.resize(nodes.size());
  b.out.resize(nodes.size());
  b.tags_of.resize(nodes.size());
  std::unordered_map<uint64_t, uint32_t> edge_ids;
  std::vector<size_t> last_sample(nodes.size(), SIZE_MAX);

  const auto tally_tag = [&b](uint32_t node, uint32_t tag) -> Tally& {
    const auto [found, is_new] = b.tags.try_emplace(pair_key(node, tag));
    if (is_new) b.tags_of[node].push_back(tag);
    return found->second;
  };

  for (size_t n = 0; n < stacks.samples().size(); ++n) {
    const WeighedStacks::Sample& sample = stacks.samples()[n];
    if (sample.value == 0) continue;
    uint32_t caller = kNoNode;
    bool residual = false;  // nodes were left out since the caller
    for (size_t i = sample.end; i-- > sample.first;) {
      if (stacks.places()[stacks.place_at(i)].hidden) continue;
      const std::vector<uint32_t>& frames = nodes.of_place(stacks.place_at(i));
      for (size_t f = frames.size(); f-- > 0;) {
        const uint32_t node = frames[f];
        if (!kept[node]) {
          residual = true;
          continue;
        }
        if (last_sample[node] != n) {
          last_sample[node] = n;
          b.nodes[node].cum += sample.value;
          if (sample.tag != 0) tally_tag(node, sample.tag).cum += sample.value;
        }
        if (caller != kNoNode && caller != node) {
          const auto [found, is_new] =
              edge_ids.try_emplace(pair_key(caller, node), static_cast<uint32_t>(b.edges.size()));
          if (is_new) {
            b.out[caller].push_back(found->second);
            b.in[node].push_back(found->second);
            b.edges.push_back({caller, node});
          }
          Edge& e = b.edges[found->second];
          if (e.last_sample != n) {
            e.last_sample = n;
            e.weight += sample.value;
            e.residual |= residual;
            e.inlined &= f + 1 != frames.size();
          }
        }
        caller = node;
        residual = false;
      }
    }
    if (caller != kNoNode && !residual) {
      b.nodes[caller].flat += sample.value;
      if (sample.tag != 0) tally_tag(caller, sample.tag).flat += sample.value;
    }
  }
  for (uint32_t node = 0; node < nodes.size(); ++node) {
    if (b.nodes[node].cum != 0 || b.nodes[node].flat != 0) b.alive.push_back(node);
  }
  return b;
}

// How evenly the edges (and what stays in the node) share the weight, in bits.
double entropy(const Build& b, const std::vector<uint32_t>& edges, int64_t self) {
  auto total = static_cast<double>(self);
  for (const uint32_t e : edges) {
    if (!b.edges[e].dropped && b.edges[e].weight > 0) {
      total += static_cast<double>(b.edges[e].weight);
    }
  }
  if (total == 0) return 0;
  double bits = 0;
  const auto add = [&bits, total](uint64_t weight) {
    const double share = static_cast<double>(weight) / total;
    if (share > 0) bits -= share * std::log2(share);
  };
  for (const uint32_t e : edges) {
    if (!b.edges[e].dropped) add(magnitude(b.edges[e].weight));
  }
  if (self > 0) add(magnitude(self));
  return bits;
}

// pprof's score: nodes that calls merely pass through tell less than those where they begin, end,
// fork or join.
int64_t score(const Build& b, uint32_t node) {
  const Tally& t = b.nodes[node];
  const double begin = b.in[node].empty() ? 1 : entropy(b, b.in[node], 0);
  const double end = b.out[node].empty() ? 1 : entropy(b, b.out[node], t.flat);
  return static_cast<int64_t>((begin + end) * static_cast<double>(t.cum)) + t.flat;
}

// Most telling first.
void rank(Build& b, const CallNodes& nodes) {
  std::unordered_map<uint32_t, uint64_t> scores;
  for (const uint32_t node : b.alive) scores[node] = magnitude(score(b, node));
  std::sort(b.alive.begin(), b.alive.end(), [&](uint32_t l, uint32_t r) {
    if (scores[l] != scores[r]) return scores[l] > scores[r];
    if (const int c = nodes.name(l).compare(nodes.name(r)); c != 0) return c < 0;
    const uint64_t fl = magnitude(b.nodes[l].flat), fr = magnitude(b.nodes[r].flat);
    return fl != fr ? fl > fr : nodes.identity(l) < nodes.identity(r);
  });
}

uint64_t drop_edges(Build& b, uint64_t cutoff) {
  uint64_t dropped = 0;
  for (Edge& e : b.edges) {
    if (magnitude(e.weight) < cutoff) e.dropped = true;
    dropped += e.dropped;
  }
  return dropped;
}

void drop_tags(Build& b, uint64_t cutoff) {
  for (const uint32_t node : b.alive) {
    std::erase_if(b.tags_of[node], [&](uint32_t tag) {
      const Tally& t = b.tags.at(pair_key(node, tag));
      return magnitude(t.flat) < cutoff && magnitude(t.cum) < cutoff;
    });
  }
}

// How many of the ranked nodes there is room for when each tag that stands beside a node takes
// room like a node.
size_t room_for(const Build& b, size_t nodecount) {
  size_t used = 0;
  for (size_t i = 0; i < b.alive.size(); ++i) {
    const uint32_t node = b.alive[i];
    const auto tags = static_cast<size_t>(
        std::count_if(b.tags_of[node].begin(), b.tags_of[node].end(),
                      [&](uint32_t tag) { return b.tags.at(pair_key(node, tag)).flat != 0; }));
    used += 1 + std::min(tags, kMaxTagsShown);
    if (used >= nodecount) return i + 1;
  }
  return std::min(nodecount, b.alive.size());
}

bool heavier(const Build& b, const CallNodes& nodes, uint32_t l, uint32_t r) {
  const Edge &a = b.edges[l], &c = b.edges[r];
  if (a.weight != c.weight) return magnitude(a.weight) > magnitude(c.weight);
  if (const int d = nodes.name(a.from).compare(nodes.name(c.from)); d != 0) return d < 0;
  return nodes.name(a.to) < nodes.name(c.to);
}

// Is there another way from the edge's start to its end?
bool is_redundant(const Build& b, uint32_t edge) {
  std::unordered_set<uint32_t> seen{b.edges[edge].to};
  std::vector<uint32_t> queue{b.edges[edge].to};
  for (size_t i = 0; i < queue.size(); ++i) {
    for (const uint32_t e : b.in[queue[i]]) {
      if (e == edge || b.edges[e].dropped) continue;
      if (b.edges[e].from == b.edges[edge].from && !seen.contains(b.edges[e].from)) return true;
      if (seen.insert(b.edges[e].from).second) queue.push_back(b.edges[e].from);
    }
  }
  return false;
}

// Residual edges that only repeat what other edges say, the lightest first. One that is heavier
// than a real call into the same node stays.
void drop_redundant_edges(Build& b, const CallNodes& nodes) {
  for (size_t i = b.alive.size(); i-- > 0;) {
    std::vector<uint32_t> in;
    for (const uint32_t e : b.in[b.alive[i]]) {
      if (!b.edges[e].dropped) in.push_back(e);
    }
    std::sort(in.begin(), in.end(),
              [&](uint32_t l, uint32_t r) { return heavier(b, nodes, l, r); });
    for (size_t j = in.size(); j-- > 0 && b.edges[in[j]].residual;) {
      if (is_redundant(b, in[j])) b.edges[in[j]].dropped = true;
    }
  }
}

// The lines that goroutines stand in, for the nodes that are shown.
void add_places(const WeighedStacks& stacks, const CallNodes& nodes,
                const std::vector<uint32_t>& shown_as, CallGraph& g) {
  // By node and frame first: comparing texts per goroutine would be slow.
  std::unordered_map<uint32_t, std::unordered_map<const Frame*, int64_t>> counts;
  std::vector<uint32_t> seen;
  for (const WeighedStacks::Sample& sample : stacks.samples()) {
    seen.clear();
    for (size_t i = sample.first; i < sample.end; ++i) {
      const WeighedStacks::Place& place = stacks.places()[stacks.place_at(i)];
      if (place.hidden) continue;
      const std::vector<uint32_t>& frames = nodes.of_place(stacks.place_at(i));
      for (size_t f = 0; f < place.frames.size(); ++f) {
        const uint32_t node = shown_as[frames[f]];
        if (node == kNoNode || place.frames[f]->file.empty() ||
            std::find(seen.begin(), seen.end(), node) != seen.end()) {
          continue;
        }
        seen.push_back(node);
        counts[node][place.frames[f]] += sample.value;
      }
    }
  }
  for (const auto& [node, frames] : counts) {
    std::map<std::pair<std::string_view, int>, int64_t> lines;
    for (const auto& [frame, count] : frames) lines[{frame->file, frame->line}] += count;
    for (const auto& [line, count] : lines) {
      if (count == 0) continue;
      g.nodes[node].places.push_back({std::string(line.first), line.second, count});
    }
  }
  for (CallGraph::Node& n : g.nodes) {
    std::stable_sort(n.places.begin(), n.places.end(), [](const auto& a, const auto& b) {
      return magnitude(a.count) > magnitude(b.count);
    });
    if (n.places.size() > kMaxPlacesShown) n.places.resize(kMaxPlacesShown);
  }
}

// The tags that stand beside a node: of all that passes through where it ends here (what it calls
// may have been left out), else of what stays here.
std::vector<CallGraph::Tag> tags_of(const Build& b, uint32_t node, const WeighedStacks& stacks) {
  const bool has_out = std::any_of(b.out[node].begin(), b.out[node].end(),
                                   [&b](uint32_t e) { return !b.edges[e].dropped; });
  std::vector<CallGraph::Tag> tags;
  for (const uint32_t tag : b.tags_of[node]) {
    const Tally& t = b.tags.at(pair_key(node, tag));
    tags.push_back({stacks.tags()[tag], t.flat, t.cum});
  }
  std::sort(tags.begin(), tags.end(), [has_out](const auto& l, const auto& r) {
    if (!has_out && l.cum != r.cum) return magnitude(l.cum) > magnitude(r.cum);
    if (l.flat != r.flat) return magnitude(l.flat) > magnitude(r.flat);
    return l.text < r.text;
  });
  if (tags.size() > kMaxTagsShown) tags.resize(kMaxTagsShown);
  std::erase_if(tags, [has_out](const auto& t) { return (has_out ? t.flat : t.cum) == 0; });
  return tags;
}

CallGraph finish(const WeighedStacks& stacks, const CallNodes& nodes, const Build& b) {
  CallGraph g;
  std::vector<uint32_t> shown_as(nodes.size(), kNoNode);
  for (const uint32_t node : b.alive) {
    shown_as[node] = static_cast<uint32_t>(g.nodes.size());
    const CallNodes::Identity& id = nodes.identity(node);
    CallGraph::Node& to = g.nodes.emplace_back();
    to.function = id.function;
    to.file = id.file;
    to.line = id.line;
    to.address = id.address;
    to.object = id.object;
    to.flat = b.nodes[node].flat;
    to.cum = b.nodes[node].cum;
    to.tags = tags_of(b, node, stacks);
  }
  std::vector<uint32_t> order;
  for (uint32_t e = 0; e < b.edges.size(); ++e) {
    if (!b.edges[e].dropped && shown_as[b.edges[e].from] != kNoNode &&
        shown_as[b.edges[e].to] != kNoNode) {
      order.push_back(e);
    }
  }
  std::sort(order.begin(), order.end(),
            [&](uint32_t l, uint32_t r) { return heavier(b, nodes, l, r); });
  for (const uint32_t i : order) {
    const Edge& e = b.edges[i];
    g.edges.push_back({shown_as[e.from], shown_as[e.to], e.weight, e.residual, e.inlined});
  }
  add_places(stacks, nodes, shown_as, g);
  return g;
}

CallGraph select(const WeighedStacks& stacks, const CallGraphOptions& options) {
  const CallNodes nodes(stacks, options.granularity);
  std::vector<bool> kept(nodes.size(), true);
  Build b = build(stacks, nodes, kept);

  int64_t flat_sum = 0;
  for (const uint32_t node : b.alive) flat_sum += b.nodes[node].flat;
  const auto share = [flat_sum](double fraction) {
    return static_cast<uint64_t>(std::fabs(static_cast<double>(flat_sum) * fraction));
  };
  const uint64_t node_cutoff = share(options.nodefraction);
  const uint64_t edge_cutoff = share(options.edgefraction);

  const auto rebuild_with = [&](const std::vector<uint32_t>& wanted) {
    kept.assign(nodes.size(), false);
    for (const uint32_t node : wanted) kept[node] = true;
    b = build(stacks, nodes, kept);
  };
  const size_t all = b.alive.size();
  std::vector<uint32_t> large;
  for (const uint32_t node : b.alive) {
    if (magnitude(b.nodes[node].cum) >= node_cutoff) large.push_back(node);
  }
  const size_t dropped_nodes = all - large.size();
  if (dropped_nodes > 0) rebuild_with(large);
  const size_t candidates = b.alive.size();

  rank(b, nodes);
  if (options.nodecount > 0) {
    drop_tags(b, node_cutoff);
    drop_edges(b, edge_cutoff);
    const size_t room = room_for(b, options.nodecount);
    if (room < b.alive.size()) {
      rebuild_with({b.alive.begin(), b.alive.begin() + static_cast<ptrdiff_t>(room)});
      rank(b, nodes);
    }
  }
  drop_tags(b, node_cutoff);
  const uint64_t dropped_edges = drop_edges(b, edge_cutoff);
  drop_redundant_edges(b, nodes);

  CallGraph g = finish(stacks, nodes, b);
  g.candidates = candidates;
  g.dropped_nodes = dropped_nodes;
  g.node_cutoff = node_cutoff;
  g.dropped_edges = dropped_edges;
  g.edge_cutoff = edge_cutoff;
  return g;
}

int64_t count(const WeighedStacks& stacks, bool old_only) {
  int64_t total = 0;
  for (const WeighedStacks::Sample& s : stacks.samples()) {
    if (!old_only || s.value < 0) total += s.value < 0 ? -s.value : s.value;
  }
  return total;
}

CallGraph make(WeighedStacks& stacks, const Snapshot& now, const CallGraphOptions& options,
               int64_t total) {
  std::vector<std::string> filters = stacks.filter(options);
  CallGraph g = select(stacks, options);
  g.total = total;
  if (now.left_out > 0) {
    filters.push_back("left out by a filter: " + std::to_string(now.left_out));
  }
  g.filters = std::move(filters);
  g.process = now.process;
  g.taken_at_ns = now.taken_at_ns;
  return g;
}

}  // namespace

CallGraph call_graph(const Snapshot& s, const CallGraphOptions& options) {
  WeighedStacks stacks;
  stacks.add(s, 1, options.tags);
  return make(stacks, s, options, count(stacks, false));
}

CallGraph call_graph_difference(const Snapshot& old, const Snapshot& now,
                                const CallGraphOptions& options) {
  WeighedStacks stacks;
  stacks.add(now, 1, options.tags);
  stacks.add(old, -1, options.tags);
  const int64_t before = count(stacks, true);
  CallGraph g = make(stacks, now, options, before > 0 ? before : count(stacks, false));
  g.is_difference = true;
  return g;
}

}  // namespace weir::profiler
