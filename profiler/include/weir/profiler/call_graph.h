// CallGraph: who calls whom on the way to where goroutines are, by pprof's rules, so that the
// picture is the one that `go tool pprof -dot` makes of the same snapshot: the same functions and
// calls are kept, with the same numbers.
//
//   CallGraph g = call_graph(capture(), {.focus = "zoo::"});
//   std::string svg = render(dot(g), Picture::svg);  // draw.h
//
// Pure functions over Snapshots; thread-safe. Frames of weir itself at the leaf and at the root of
// a stack are left out, as in our profile.proto.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// What a node stands for.
enum class Granularity : uint8_t { functions, lines, addresses };

// pprof's options of the same names, with its defaults. Regular expressions are RE2's (which are
// Go's), of at most 1000 bytes; empty: none. They are searched for in the function, in the file,
// and in the name of the executable or library.
struct CallGraphOptions {
  std::string focus{};   // only goroutines with a frame that matches
  std::string ignore{};  // no goroutines with a frame that matches
  std::string hide{};    // these frames are left out
  std::string show{};    // all other frames are left out
  Granularity granularity = Granularity::functions;
  size_t nodecount = 80;        // nodes at most, tags counted as nodes; 0: no bound
  double nodefraction = 0.005;  // nodes below this share of the total are left out
  double edgefraction = 0.001;  // edges likewise
  bool tags = true;             // tell per function what its goroutines wait for, and their labels
};

struct CallGraph {
  // What the goroutines of one node have in common: wait reason or state, and labels, a line each.
  struct Tag {
    std::string text;
    int64_t flat = 0, cum = 0;
  };
  // A line in which goroutines stand (or through which they call), and how many.
  struct Place {
    std::string file;  // as the debug information has it; empty: not known
    int line = 0;
    int64_t count = 0;
  };
  struct Node {
    std::string function;  // empty: not known, then `object` or `address` tell what it is
    std::string file;      // granularity lines, addresses
    int line = 0;          // the same
    uint64_t address = 0;  // granularity addresses
    std::string object;    // executable or library, where no function is known
    int64_t flat = 0;      // goroutines whose innermost shown frame this is
    int64_t cum = 0;  // goroutines that have it on their stack; once each, however deep it recurs
    std::vector<Tag> tags;      // most goroutines first, at most 4
    std::vector<Place> places;  // most goroutines first, at most 4
  };
  struct Edge {
    uint32_t from = 0, to = 0;  // indexes into nodes: caller, callee
    int64_t weight = 0;
    bool residual = false;  // by way of nodes that were left out
    bool inlined = false;   // every one of these calls was inlined
  };

  std::vector<Node> nodes;  // pprof's order: those that tell most first
  std::vector<Edge> edges;  // heaviest first
  // Goroutines (and plain threads) before focus and ignore: what shares are of. Of a difference:
  // those of the old side, where it has any.
  int64_t total = 0;
  bool is_difference = false;                   // numbers are new - old
  uint64_t candidates = 0;                      // nodes before the bound of nodecount
  uint64_t dropped_nodes = 0, node_cutoff = 0;  // below nodefraction; goroutines that it means
  uint64_t dropped_edges = 0, edge_cutoff = 0;
  std::vector<std::string>
      filters;  // "focus=..": those that were asked for; what filter.h left out
  std::string process;
  int64_t taken_at_ns = 0;  // wall clock, ns since 1970; 0: not known
};

// Throws weir::profiler::error when a regular expression is not one, naming the option.
CallGraph call_graph(const Snapshot& s, const CallGraphOptions& options = {});

// now - old, as `go tool pprof -diff_base`: what grew is positive, what shrank negative.
CallGraph call_graph_difference(const Snapshot& old, const Snapshot& now,
                                const CallGraphOptions& options = {});

}  // namespace weir::profiler
