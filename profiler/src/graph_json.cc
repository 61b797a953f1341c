// Graphs -> JSON, schema "weir.graph/1". Keys come in this order; readers pass over keys that they
// do not know. Indexes are from 0; times are ns; not known: left out.
//
//   schema       "weir.graph/1"
//   kind         "calls", "calls_difference" (numbers are now - before) or "waits"
//   process, taken_at_ns (wall clock, since 1970)
//   filters      ["focus=..", ..], and "left out by a filter: 7" of a snapshot that was filtered
//   total        goroutines; what shares are of
//
// Kind "calls":
//   candidates, dropped_nodes, node_cutoff, dropped_edges, edge_cutoff
//                what is not shown: nodes there were before nodecount; below the fractions
//   nodes        {function, [file], [line], [address "0x.."], [object], flat, cum,
//                tags [{text, flat, cum}], places [{file, line, count}]}, those that tell most
//                first
//   edges        {from, to, weight, residual, inlined}: indexes into nodes; heaviest first
//
// Kind "waits":
//   shown, unrelated, dropped, folded_nodes, folded, cycles: see wait_graph.h
//   nodes        {type: "goroutines", count, goids, state, [stuck], thread, [blocked_at],
//                [created_by], stack, [oldest_ns]}
//                {type: "object", kind, count, [stuck], [made_at], detail, cap, len, counter,
//                closed, places [{what, at}]}
//                {type: "gone", count, goids}
//                stuck: "lock_cycle", "owner_gone", "nil_channel", "no_cases", "behind"
//                places and frames: {function, [file], [line]}
//   edges        {from, to, relation: "waits_for"|"held_by", count, [what], cycle}
#include <nlohmann/json.hpp>

#include <weir/profiler/draw.h>

#include "encode.h"
#include "graph_json.h"
#include "wait_words.h"

namespace weir::profiler {

namespace {

using Json = nlohmann::ordered_json;

Json head(const char* kind, const std::string& process, int64_t taken_at_ns,
          const std::vector<std::string>& filters) {
  Json j = {{"schema", "weir.graph/1"}, {"kind", kind}, {"process", process}};
  if (taken_at_ns != 0) j["taken_at_ns"] = taken_at_ns;
  j["filters"] = filters;
  return j;
}

bool write(const Json& j, const Sink& sink) {
  encode::Out out(sink);
  out.write(j.dump(-1, ' ', false, Json::error_handler_t::replace));
  out.write("\n");
  return out.finish();
}

Json node(const CallGraph::Node& n) {
  Json j = {{"function", n.function}};
  if (!n.file.empty()) j["file"] = n.file;
  if (n.line != 0) j["line"] = n.line;
  if (n.address != 0) {
    std::string address;
    encode::append_hex(address, n.address);
    j["address"] = address;
  }
  if (!n.object.empty()) j["object"] = n.object;
  j["flat"] = n.flat;
  j["cum"] = n.cum;
  j["tags"] = Json::array();
  for (const auto& t : n.tags) {
    j["tags"].push_back({{"text", t.text}, {"flat", t.flat}, {"cum", t.cum}});
  }
  j["places"] = Json::array();
  for (const auto& p : n.places) {
    j["places"].push_back({{"file", p.file}, {"line", p.line}, {"count", p.count}});
  }
  return j;
}

void add_stuck(Json& j, WaitGraph::Stuck stuck) {
  if (stuck != WaitGraph::Stuck::no) j["stuck"] = stuck_name(stuck);
}

void add_frame(Json& j, const char* key, const Frame& f) {
  if (!f.function.empty()) j[key] = frame_json(f);
}

Json node(const WaitGraph::Goroutines& n) {
  Json j = {{"type", "goroutines"}, {"count", n.count}, {"goids", n.goids}, {"state", n.state}};
  add_stuck(j, n.stuck);
  j["thread"] = n.thread;
  add_frame(j, "blocked_at", n.blocked_at);
  add_frame(j, "created_by", n.created_by);
  j["stack"] = Json::array();
  for (const Frame& f : n.stack) j["stack"].push_back(frame_json(f));
  if (n.oldest_ns >= 0) j["oldest_ns"] = n.oldest_ns;
  return j;
}

Json node(const WaitGraph::Object& o) {
  Json j = {{"type", "object"}, {"kind", o.kind}, {"count", o.count}};
  add_stuck(j, o.stuck);
  add_frame(j, "made_at", o.made_at);
  j["detail"] = o.detail;
  j["cap"] = o.example.cap;
  j["len"] = o.example.len;
  j["counter"] = o.example.counter;
  j["closed"] = o.example.closed;
  j["places"] = Json::array();
  for (const auto& [what, at] : o.places) {
    j["places"].push_back({{"what", what}, {"at", frame_json(at)}});
  }
  return j;
}

}  // namespace

bool write_json(const CallGraph& g, const Sink& sink) {
  Json j =
      head(g.is_difference ? "calls_difference" : "calls", g.process, g.taken_at_ns, g.filters);
  j["total"] = g.total;
  j["candidates"] = g.candidates;
  j["dropped_nodes"] = g.dropped_nodes;
  j["node_cutoff"] = g.node_cutoff;
  j["dropped_edges"] = g.dropped_edges;
  j["edge_cutoff"] = g.edge_cutoff;
  j["nodes"] = Json::array();
  for (const auto& n : g.nodes) j["nodes"].push_back(node(n));
  j["edges"] = Json::array();
  for (const auto& e : g.edges) {
    j["edges"].push_back({{"from", e.from},
                          {"to", e.to},
                          {"weight", e.weight},
                          {"residual", e.residual},
                          {"inlined", e.inlined}});
  }
  return write(j, sink);
}

bool write_json(const WaitGraph& g, const Sink& sink) {
  Json j = head("waits", g.process, g.taken_at_ns, g.filters);
  j["total"] = g.total;
  j["shown"] = g.shown;
  j["unrelated"] = g.unrelated;
  j["dropped"] = g.dropped;
  j["folded_nodes"] = g.folded_nodes;
  j["folded"] = g.folded;
  j["cycles"] = g.cycles;
  j["nodes"] = Json::array();
  for (const auto& n : g.goroutines) j["nodes"].push_back(node(n));
  for (const auto& o : g.objects) j["nodes"].push_back(node(o));
  for (const auto& n : g.gone) {
    j["nodes"].push_back({{"type", "gone"}, {"count", n.count}, {"goids", n.goids}});
  }
  // The three kinds of nodes stand one after the other.
  const size_t objects = g.goroutines.size(), gone = objects + g.objects.size();
  j["edges"] = Json::array();
  for (const auto& e : g.edges) {
    const bool waits = e.relation == WaitGraph::Relation::waits_for;
    const size_t to = waits ? objects : e.relation == WaitGraph::Relation::held_by_gone ? gone : 0;
    Json edge = {{"from", e.from + (waits ? 0 : objects)},
                 {"to", e.to + to},
                 {"relation", waits ? "waits_for" : "held_by"},
                 {"count", e.count}};
    if (!e.what.empty()) edge["what"] = e.what;
    edge["cycle"] = e.cycle;
    j["edges"].push_back(std::move(edge));
  }
  return write(j, sink);
}

}  // namespace weir::profiler
