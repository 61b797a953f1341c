// CallNodes: which node of a call graph each frame of the stacks belongs to, by pprof's rules.
// Numbers of nodes stay the same for every graph that is built from the same stacks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <weir/profiler/call_graph.h>

#include "weighed_stacks.h"

namespace weir::profiler {

class CallNodes {
 public:
  // What makes frames one node. `file` is spelled the shortest way.
  struct Identity {
    std::string function, file;
    int line = 0;
    uint64_t address = 0;
    std::string object;

    auto fields() const { return std::tie(function, file, line, address, object); }
    bool operator<(const Identity& other) const { return fields() < other.fields(); }
  };

  CallNodes(const WeighedStacks& stacks, Granularity granularity);

  size_t size() const { return identities_.size(); }
  const Identity& identity(uint32_t node) const { return *identities_[node]; }
  // pprof's text for it: what nodes with equal numbers are ordered by.
  const std::string& name(uint32_t node) const { return names_[node]; }
  // The nodes of a place's frames, innermost first; never empty.
  const std::vector<uint32_t>& of_place(uint32_t place) const { return of_place_[place]; }

 private:
  uint32_t node_of(const Frame& f, uint64_t address);
  uint32_t node_of(const WeighedStacks::Place& place);
  uint32_t intern(Identity id);

  const Granularity granularity_;
  std::map<Identity, uint32_t> ids_;
  std::vector<const Identity*> identities_;
  std::vector<std::string> names_;
  std::map<std::pair<const Frame*, uint64_t>, uint32_t> of_frame_;
  std::vector<std::vector<uint32_t>> of_place_;
};

}  // namespace weir::profiler
