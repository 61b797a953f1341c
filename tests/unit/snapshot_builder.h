// Builds synthetic Snapshots for tests of everything downstream of capture. Tables grow as they are
// used; nothing is deduplicated, so a test says exactly what stands in each of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::profiler::testing {

class SnapshotBuilder {
 public:
  Snapshot snapshot;

  SnapshotBuilder() {
    snapshot.taken_at_ns = 1'795'000'000'000'000'000;
    snapshot.process = "zoo";
    snapshot.pid = 4711;
    snapshot.source = "weir";
  }

  uint32_t frame(std::string function, std::string file, int line, uint64_t offset) {
    return add(snapshot.frames, Frame{std::move(function), std::move(file), line, offset, false});
  }
  uint32_t runtime_frame(std::string function) {
    return add(snapshot.frames,
               Frame{std::move(function), "/weir/runtime/src/park.cc", 7, 0x10, true});
  }
  // A call at `address` (not the return address); frames innermost first.
  uint32_t location(uint64_t address, std::vector<uint32_t> frames, uint32_t mapping = 0) {
    return add(snapshot.locations, Location{address, mapping, std::move(frames)});
  }
  // A location of one frame.
  uint32_t call(uint64_t address, std::string function, std::string file, int line,
                uint64_t offset) {
    return location(address, {frame(std::move(function), std::move(file), line, offset)});
  }
  uint32_t runtime_call(uint64_t address, std::string function) {
    return location(address, {runtime_frame(std::move(function))});
  }
  uint32_t stack(std::vector<uint32_t> locations, bool truncated = false) {
    return add(snapshot.stacks, Stack{std::move(locations), truncated});
  }
  uint32_t text(std::string s) { return add(snapshot.strings, std::move(s)); }

  // Goroutines with these ids, waiting for `reason` (running, where it is empty). The reference is
  // good until the next group.
  Group& group(uint32_t stack, std::string reason, const std::vector<uint64_t>& goids) {
    Group& g = counted(stack, std::move(reason), goids.size());
    for (const uint64_t goid : goids) g.members.emplace_back().goid = goid;
    return g;
  }
  // As from a source that has counts alone.
  Group& counted(uint32_t stack, std::string reason, uint64_t count) {
    Group& g = snapshot.groups.emplace_back();
    g.stack = stack;
    g.state = reason.empty() ? State::running : State::waiting;
    g.wait_reason = std::move(reason);
    g.count = count;
    snapshot.total += count;
    return g;
  }

 private:
  template <class T>
  static uint32_t add(std::vector<T>& table, T row) {
    table.push_back(std::move(row));
    return static_cast<uint32_t>(table.size() - 1);
  }
};

}  // namespace weir::profiler::testing
