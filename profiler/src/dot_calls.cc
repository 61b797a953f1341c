// CallGraph -> DOT, in pprof's language: the font grows with the goroutines that are in a function
// itself, colour and thickness with those that pass through; dotted: by way of functions that are
// left out. Of a difference, red has grown and green has shrunk.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include <weir/profiler/draw.h>

#include "dot.h"

namespace weir::profiler {

namespace {

using namespace dot_text;

int64_t size_of(int64_t n) { return n < 0 ? (n == INT64_MIN ? INT64_MAX : -n) : n; }

class CallsWriter {
 public:
  explicit CallsWriter(const CallGraph& g) : g_(g), to_(g.process, legend()) {
    for (const CallGraph::Node& n : g.nodes) max_flat_ = std::max(max_flat_, size_of(n.flat));
  }

  std::string write() {
    const size_t nodes = std::min(g_.nodes.size(), kMaxNodes);
    for (size_t i = 0; i < nodes; ++i) add(i);
    size_t edges = 0;
    for (const CallGraph::Edge& e : g_.edges) {
      if (e.from >= nodes || e.to >= nodes) continue;
      if (++edges > kMaxEdges) break;
      add(e);
    }
    return to_.finish();
  }

 private:
  std::string number(int64_t n) const {
    return (g_.is_difference && n > 0 ? "+" : "") + std::to_string(n);
  }
  std::string share(int64_t n) const { return percentage(n, g_.total); }
  double score(int64_t n) const {
    return g_.total == 0 ? 0 : static_cast<double>(n) / static_cast<double>(g_.total);
  }

  std::vector<std::string> legend() const {
    std::vector<std::string> lines;
    if (!g_.process.empty()) lines.push_back("File: " + g_.process);
    lines.push_back(g_.is_difference ? "Type: goroutines, now - before" : "Type: goroutines");
    if (g_.taken_at_ns != 0) lines.push_back("Time: " + wall_clock(g_.taken_at_ns));
    if (!g_.filters.empty()) lines.push_back("Active filters:");
    for (const std::string& f : g_.filters) lines.push_back("   " + shortened(f, 80));
    int64_t flat = 0;
    for (const CallGraph::Node& n : g_.nodes) flat += n.flat;
    lines.push_back("Showing nodes accounting for " + number(flat) + ", " + share(flat) + " of " +
                    std::to_string(g_.total) + " total");
    const auto dropped = [&lines](uint64_t n, std::string what, uint64_t cutoff) {
      if (n == 0) return;
      lines.push_back("Dropped " + std::to_string(n) + " " + what + (n == 1 ? "" : "s") +
                      " (below " + std::to_string(cutoff) + ")");
    };
    dropped(g_.dropped_nodes, "node", g_.node_cutoff);
    dropped(g_.dropped_edges, "edge", g_.edge_cutoff);
    const size_t shown = std::min(g_.nodes.size(), kMaxNodes);
    if (shown < g_.candidates) {
      lines.push_back("Showing top " + std::to_string(shown) + " nodes out of " +
                      std::to_string(g_.candidates));
    }
    if (g_.is_difference) lines.push_back("Red: more than before; green: fewer");
    return lines;
  }

  // One line, for tooltips.
  static std::string name(const CallGraph::Node& n) {
    std::string text;
    if (n.address != 0) {
      char hex[24];
      std::snprintf(hex, sizeof hex, "%016llx ", static_cast<unsigned long long>(n.address));
      text = hex;
    }
    text.append(!n.function.empty() ? n.function
                : n.object.empty()  ? "<unknown>"
                                    : "[" + std::string(base_name(n.object)) + "]");
    if (!n.file.empty()) text.append(" ").append(place_text(n.file, n.line));
    return shortened(text, kMaxTooltip / 4);
  }

  std::string label(const CallGraph::Node& n) const {
    std::string text;
    if (n.address != 0) {
      char hex[24];
      std::snprintf(hex, sizeof hex, "%016llx\n", static_cast<unsigned long long>(n.address));
      text = hex;
    }
    text.append(n.function.empty() ? shortened(name(n), kMaxLine) + "\n" : name_lines(n.function));
    if (!n.file.empty()) {
      text.append(shortened(place_text(base_name(n.file), n.line), kMaxLine)).append("\n");
    }
    text.append(n.flat == 0 ? "0" : number(n.flat) + " (" + share(n.flat) + ")");
    if (n.cum != n.flat) {
      text.append(n.flat == 0 ? " " : "\n");
      text.append("of " + number(n.cum) + " (" + share(n.cum) + ")");
    }
    return text;
  }

  std::string tooltip(const CallGraph::Node& n) const {
    std::string text = name(n) + " (" + number(n.cum) + ")";
    for (const CallGraph::Place& p : n.places) {
      text.append("\n" + number(p.count) + " at " +
                  shortened(place_text(p.file, p.line), kMaxTooltip / 5));
    }
    return text;
  }

  void add(size_t i) {
    const CallGraph::Node& n = g_.nodes[i];
    const std::string id = "N" + std::to_string(i + 1);
    int font = 8;  // points, to 24
    if (n.flat != 0) {
      font += static_cast<int>(std::ceil(
          16 * std::sqrt(static_cast<double>(size_of(n.flat)) / static_cast<double>(max_flat_))));
    }
    to_.node(id, {{"label", label(n)},
                  {"id", "node" + std::to_string(i + 1)},
                  {"fontsize", std::to_string(font)},
                  {"shape", "box"},
                  {"tooltip", tooltip(n)},
                  {"color", color(score(n.cum), false)},
                  {"fillcolor", color(score(n.cum), true)}});
    const bool is_inner = calls_others(i);
    for (size_t t = 0; t < n.tags.size(); ++t) {
      const CallGraph::Tag& tag = n.tags[t];
      const std::string count = number(is_inner ? tag.flat : tag.cum);
      const std::string tag_id = id + "_" + std::to_string(t);
      to_.node(tag_id, {{"label", tag_lines(tag.text)},
                        {"id", tag_id},
                        {"fontsize", "8"},
                        {"shape", "box3d"},
                        {"tooltip", shortened(tag.text, kMaxTooltip) + " (" + count + ")"}});
      to_.edge(
          id, tag_id,
          {{"label", " " + count}, {"weight", "100"}, {"tooltip", count}, {"labeltooltip", count}});
    }
  }

  static std::string tag_lines(std::string_view text) {
    std::string lines;
    for (int n = 0; !text.empty() && n < 6; ++n) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      lines.append(lines.empty() ? "" : "\n").append(shortened(line, kMaxLine));
    }
    return lines;
  }

  bool calls_others(size_t node) const {
    return std::any_of(g_.edges.begin(), g_.edges.end(),
                       [node](const CallGraph::Edge& e) { return e.from == node; });
  }

  void add(const CallGraph::Edge& e) {
    const CallGraph::Node &from = g_.nodes[e.from], &to = g_.nodes[e.to];
    const double part = std::fabs(score(e.weight));
    const std::string tooltip =
        name(from) + (e.residual ? " ... " : " -> ") + name(to) + " (" + number(e.weight) + ")";
    std::vector<Writer::Attribute> all = {
        {"label", " " + number(e.weight) + (e.inlined ? "\n(inline)" : "")},
        {"weight", std::to_string(1 + static_cast<int>(std::min(part * 100, 100.0)))},
        {"penwidth", std::to_string(1 + static_cast<int>(std::min(part * 5, 5.0)))},
        {"color", color(score(e.weight), false)},
        {"tooltip", tooltip},
        {"labeltooltip", tooltip}};
    if (e.residual) all.push_back({"style", "dotted"});
    if (!from.tags.empty()) all.push_back({"minlen", "2"});
    to_.edge("N" + std::to_string(e.from + 1), "N" + std::to_string(e.to + 1), all);
  }

  const CallGraph& g_;
  Writer to_;
  int64_t max_flat_ = 1;
};

}  // namespace

std::string dot(const CallGraph& g) { return CallsWriter(g).write(); }

}  // namespace weir::profiler
