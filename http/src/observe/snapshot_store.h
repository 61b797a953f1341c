// The snapshots that a process keeps of itself: close together for the last moments, further apart
// the longer ago, in bounded memory. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::http::observe {

struct Kept {
  uint64_t id = 0;     // counts up from 1; never used again
  bool asked = false;  // somebody wanted it (POST): goes only when there are kMaxAsked later ones
  bool stripped = false;  // was too large: counts by group alone, without ids and objects
  size_t bytes = 0;       // of memory, about
  int64_t at_ns = 0;      // by the steady clock
  std::shared_ptr<const profiler::Snapshot> snapshot;
};

class SnapshotStore {
 public:
  static constexpr size_t kMaxBytes = size_t{32} << 20;  // of all
  static constexpr size_t kMaxEach = size_t{4} << 20;    // beyond it one is stripped
  static constexpr size_t kMaxAsked = 8;

  // Returns its id. `at_ns` must not go backwards.
  uint64_t add(profiler::Snapshot s, int64_t at_ns, bool asked);
  const std::vector<Kept>& all() const { return kept_; }  // oldest first
  std::optional<Kept> find(uint64_t id) const;
  size_t bytes() const { return bytes_; }

 private:
  void thin_out(int64_t now_ns);
  void bound();
  void drop(size_t i);

  std::vector<Kept> kept_;
  size_t bytes_ = 0;
  uint64_t last_id_ = 0;
};

}  // namespace weir::http::observe
