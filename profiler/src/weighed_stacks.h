// WeighedStacks: what a call graph is made of. The shown stacks of one or several snapshots, each
// with a number of goroutines (negative: of the old side of a difference) and a tag.
//
// Flat tables, since a million stacks may all differ: frames and places are stored once, a stack is
// a range of places. pprof calls them Function, Location and Sample; filter() is its focus, ignore,
// hide and show. References to texts of the snapshots are kept, so these must live on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <weir/profiler/call_graph.h>
#include <weir/profiler/snapshot.h>

#include "pattern.h"

namespace weir::profiler {

class WeighedStacks {
 public:
  // One call as it is shown: frames of one location, innermost (inlined) first. None at all: only
  // address or object are known.
  struct Place {
    std::vector<const Frame*> frames;
    uint64_t address = 0;
    std::string_view object;  // executable or library; empty: not known
    bool hidden = false;
  };
  struct Sample {
    size_t first = 0, end = 0;  // range of places_of(), leaf first
    int64_t value = 0;
    uint32_t tag = 0;  // index into tags()
  };

  // Adds every group of the snapshot, `sign` (1 or -1) times. With `tags`, stacks are told apart
  // by what their goroutines wait for and by their labels.
  void add(const Snapshot& s, int sign, bool tags);

  // Drops samples and hides frames. Returns what was asked for: "focus=..", ..
  // Throws error when a text is not a regular expression.
  std::vector<std::string> filter(const CallGraphOptions& options);

  const std::vector<Place>& places() const { return places_; }
  const std::vector<Sample>& samples() const { return samples_; }
  const std::vector<std::string>& tags() const { return tags_; }
  uint32_t place_at(size_t i) const { return stacks_[i]; }

 private:
  uint32_t tag_of(const Group& g);

  std::vector<Place> places_;
  std::vector<uint32_t> stacks_;  // indexes into places_
  std::vector<Sample> samples_;
  uint64_t room_ = INT64_MAX;  // for values of further samples
  std::vector<std::string> tags_{""};
  std::unordered_map<std::string, uint32_t> tag_ids_{{"", 0}};
};

}  // namespace weir::profiler
