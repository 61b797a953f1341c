// PprofStacks: the stacks of a Snapshot as locations of profile.proto, each one written once.
//
// A location of several inlined functions may be shown in part: each part is a location of its own.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include <weir/profiler/snapshot.h>

#include "encode.h"
#include "pprof_builder.h"

namespace weir::profiler::encode {

class PprofStacks {
 public:
  PprofStacks(const Snapshot& s, PprofBuilder& to) : s_(s), to_(to) {}

  void write_mappings();

  // The numbers of the locations, innermost first; of an empty stack that of one which says so, for
  // pprof drops samples without location.
  void locations(const std::vector<Shown>& stack, std::vector<uint64_t>& ids);

 private:
  uint32_t mapping_id(const Location& l) const;
  uint64_t location(const Shown& x);
  uint64_t unavailable();

  const Snapshot& s_;
  PprofBuilder& to_;
  std::vector<PprofBuilder::Line> lines_;  // of the location that is written
  std::map<std::tuple<const Location*, uint32_t, uint32_t>, uint64_t> ids_;
};

}  // namespace weir::profiler::encode
