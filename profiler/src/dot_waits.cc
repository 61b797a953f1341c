// WaitGraph -> DOT: goroutines are boxes, larger where there are more of them; objects are
// diamonds; what can never go on is red, and lock cycles are drawn thick.
#include <algorithm>
#include <cmath>

#include <weir/profiler/draw.h>

#include "dot.h"
#include "encode.h"
#include "wait_words.h"

namespace weir::profiler {

namespace {

using namespace dot_text;
using Stuck = WaitGraph::Stuck;

constexpr const char *kRed = "#b20000", *kRedFill = "#edd5d5", *kGrey = "#666666",
                     *kGreyFill = "#f2f2ef", *kBlue = "#30508c", *kBlueFill = "#e6ecf7";

std::string where(const Frame& f) {
  if (f.function.empty()) return {};
  const std::string place = place_text(f.file, f.line);
  return f.function + (place.empty() ? "" : " " + place);
}

class WaitsWriter {
 public:
  explicit WaitsWriter(const WaitGraph& g) : g_(g), to_(g.process, legend()) {
    for (const WaitGraph::Goroutines& n : g.goroutines) most_ = std::max(most_, n.count);
  }

  std::string write() {
    const size_t goroutines = std::min(g_.goroutines.size(), kMaxNodes),
                 objects = std::min(g_.objects.size(), kMaxNodes),
                 gone = std::min(g_.gone.size(), kMaxNodes);
    for (size_t i = 0; i < goroutines; ++i) add(g_.goroutines[i], "G" + std::to_string(i + 1));
    for (size_t i = 0; i < objects; ++i) add(g_.objects[i], "O" + std::to_string(i + 1));
    for (size_t i = 0; i < gone; ++i) add(g_.gone[i], "X" + std::to_string(i + 1));
    size_t edges = 0;
    for (const WaitGraph::Edge& e : g_.edges) {
      const bool waits = e.relation == WaitGraph::Relation::waits_for;
      const bool is_gone = e.relation == WaitGraph::Relation::held_by_gone;
      if (e.from >= (waits ? goroutines : objects)) continue;
      if (e.to >= (waits ? objects : is_gone ? gone : goroutines)) continue;
      if (++edges > kMaxEdges) break;
      add(e, (waits ? "G" : "O") + std::to_string(e.from + 1),
          (waits     ? "O"
           : is_gone ? "X"
                     : "G") +
              std::to_string(e.to + 1));
    }
    return to_.finish();
  }

 private:
  std::vector<std::string> legend() const {
    std::vector<std::string> lines;
    if (!g_.process.empty()) lines.push_back("File: " + g_.process);
    lines.push_back("Type: who waits for what");
    if (g_.taken_at_ns != 0) lines.push_back("Time: " + wall_clock(g_.taken_at_ns));
    if (!g_.filters.empty()) lines.push_back("Active filters:");
    for (const std::string& f : g_.filters) lines.push_back("   " + shortened(f, 80));
    lines.push_back("Showing " + std::to_string(g_.shown) + " of " +
                    count_of(g_.total, "goroutine"));
    if (g_.unrelated > 0) {
      lines.push_back(std::to_string(g_.unrelated) + " run, sleep or wait for nobody: not shown");
    }
    if (g_.folded > 0) {
      lines.push_back(std::to_string(g_.folded) + " in " + count_of(g_.folded_nodes, "group") +
                      " more than there is room for: not shown");
    }
    if (g_.cycles > 0) lines.push_back(count_of(g_.cycles, "lock cycle") + ": thick red");
    lines.push_back("Boxes wait for diamonds; diamonds are held by boxes");
    lines.push_back("Red: can never go on");
    return lines;
  }

  void add(const WaitGraph::Goroutines& n, const std::string& id) {
    std::string label = count_of(n.count, n.thread ? "thread" : "goroutine") + "\n";
    label.append(n.blocked_at.function.empty() ? std::string(encode::kStackUnavailable).append("\n")
                                               : name_lines(n.blocked_at.function));
    if (const auto at = place_text(base_name(n.blocked_at.file), n.blocked_at.line); !at.empty()) {
      label.append(shortened(at, kMaxLine)).append("\n");
    }
    label.append(shortened(n.state, kMaxLine));
    if (n.oldest_ns >= 0) label.append(", " + duration(n.oldest_ns));
    if (n.stuck != Stuck::no) label.append("\n").append(stuck_words(n.stuck));

    std::string tooltip =
        n.goids.empty() ? count_of(n.count, "goroutine") : goids_text(n.goids, n.count);
    for (const Frame& f : n.stack) tooltip.append("\n" + shortened(where(f), 200));
    if (!n.created_by.function.empty()) {
      tooltip.append("\ncreated by " + shortened(where(n.created_by), 200));
    }
    const double part = std::sqrt(static_cast<double>(n.count) / static_cast<double>(most_));
    const bool is_red = n.stuck != Stuck::no;
    to_.node(id, {{"label", label},
                  {"id", "goroutines" + id.substr(1)},
                  {"fontsize", std::to_string(9 + static_cast<int>(std::ceil(9 * part)))},
                  {"shape", "box"},
                  {"tooltip", shortened(tooltip, 2 * kMaxTooltip)},
                  {"color", is_red ? kRed : kGrey},
                  {"fillcolor", is_red ? kRedFill : kGreyFill}});
  }

  void add(const WaitGraph::Object& o, const std::string& id) {
    std::string label = shortened(kind_words(o.kind), kMaxLine);
    if (o.count > 1) label.append(" ×" + std::to_string(o.count));
    if (o.kind == "chan" && !o.example.timer) {
      label.append("\ncap " + std::to_string(o.example.cap));
      if (o.example.closed) label.append(", closed");
    } else if (o.kind == "chan") {
      label.append(o.example.armed ? "\ntimer" : "\nstopped timer");
    } else if (o.kind == "waitgroup" && o.count == 1) {
      label.append("\ncounter " + std::to_string(o.example.counter));
    }
    if (const auto at = place_text(base_name(o.made_at.file), o.made_at.line); !at.empty()) {
      label.append("\n" + shortened(at, kMaxLine / 2));
    }
    std::string tooltip = count_of(o.count, shortened(kind_words(o.kind), kMaxLine),
                                   shortened(kinds_words(o.kind), kMaxLine) + ", alike");
    if (!o.made_at.function.empty())
      tooltip.append("\nmade by " + shortened(where(o.made_at), 200));
    const std::string one = o.count > 1 ? "one of them: " : "";
    if (!o.detail.empty()) tooltip.append("\n" + one + shortened(o.detail, 200));
    for (const auto& [what, at] : o.places) {
      tooltip.append("\n" + one + what + " " + shortened(where(at), 200));
    }
    const bool is_red = o.stuck != Stuck::no;
    to_.node(id, {{"label", label},
                  {"id", "object" + id.substr(1)},
                  {"fontsize", "10"},
                  {"shape", "diamond"},
                  {"margin", "0.03,0.03"},
                  {"tooltip", shortened(tooltip, 2 * kMaxTooltip)},
                  {"color", is_red ? kRed : kBlue},
                  {"fillcolor", is_red ? kRedFill : kBlueFill}});
  }

  void add(const WaitGraph::Gone& n, const std::string& id) {
    const std::string ids = goids_text(n.goids, n.count);
    to_.node(id, {{"label",
                   shortened(ids, kMaxLine) + "\n" + (n.count == 1 ? "has" : "have") + " exited"},
                  {"id", "gone" + id.substr(1)},
                  {"fontsize", "10"},
                  {"shape", "box"},
                  {"style", "dashed"},
                  {"tooltip", ids + " exited without giving the lock back"},
                  {"color", kRed},
                  {"fontcolor", kRed}});
  }

  void add(const WaitGraph::Edge& e, const std::string& from, const std::string& to) {
    const bool waits = e.relation == WaitGraph::Relation::waits_for;
    const bool is_red =
        e.cycle || e.relation == WaitGraph::Relation::held_by_gone ||
        (waits ? g_.goroutines[e.from].stuck : g_.objects[e.from].stuck) != Stuck::no;
    std::string label = waits                                        ? e.what
                        : e.relation == WaitGraph::Relation::held_by ? "held by"
                                                                     : "was held by";
    if (e.count > 1) label.append(label.empty() ? "" : " ").append(std::to_string(e.count));
    const std::string tooltip = waits ? count_of(e.count, "goroutine waits", "goroutines wait") +
                                            (e.what.empty() ? "" : " to " + e.what)
                                      : count_of(e.count, "object");
    std::vector<Writer::Attribute> all = {{"label", label.empty() ? "" : " " + label},
                                          {"penwidth", e.cycle ? "3" : "1"},
                                          {"color", is_red ? kRed : kGrey},
                                          {"tooltip", tooltip},
                                          {"labeltooltip", tooltip}};
    if (!waits) all.push_back({"style", "dashed"});
    to_.edge(from, to, all);
  }

  const WaitGraph& g_;
  Writer to_;
  uint64_t most_ = 1;
};

}  // namespace

std::string dot(const WaitGraph& g) { return WaitsWriter(g).write(); }

}  // namespace weir::profiler
