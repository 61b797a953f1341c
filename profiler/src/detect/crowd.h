// Crowd: the goroutines that one Finding is about, all of them at one site as a rule.
#pragma once

#include <cstdint>
#include <vector>

#include <weir/profiler/finding.h>
#include <weir/profiler/sites.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler::causes {

class Crowd {
 public:
  explicit Crowd(const Snapshot& s) : s_(s) {}

  // Each at most once: the whole of a group, or some of its members.
  void add(uint32_t group);
  void add(uint32_t group, uint32_t member);

  const Snapshot& snapshot() const { return s_; }
  uint64_t count() const { return count_; }
  int64_t oldest_ns() const { return oldest_ns_; }
  bool has_members() const { return has_members_; }
  // The first that was added, or of which a member was: stands for all. There must be one.
  const Group& group() const { return s_.groups[parts_.front().group]; }

  // f(group, member) for all that have a record of their own.
  template <class F>
  void for_each(F f) const {
    for (const Part& p : parts_) {
      const Group& g = s_.groups[p.group];
      if (p.is_all) {
        for (const Member& m : g.members) f(g, m);
      } else {
        for (const uint32_t m : p.members) f(g, g.members[m]);
      }
    }
  }

  // A Finding with all that does not need words: site, count, oldest wait, places, stack, goids.
  Finding finding(uint64_t site) const;

 private:
  struct Part {
    uint32_t group;
    bool is_all;
    std::vector<uint32_t> members;
  };

  const Snapshot& s_;
  std::vector<Part> parts_;
  uint64_t count_ = 0;
  int64_t oldest_ns_ = -1;
  bool has_members_ = false;
};

}  // namespace weir::profiler::causes
