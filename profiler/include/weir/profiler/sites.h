// Sites: the goroutines of a snapshot by what a leak of theirs would have in common: created at one
// place, blocked at one place, for one reason, on one kind of object. Labels and the rest of the
// stack do not matter: one bug is one site. Goroutines that run are anywhere in their loops, so for
// them who created them is all that counts.
//
// A site's id is made of names and lines, not of addresses: it is the same in all snapshots of a
// program, also of its next process. Pure functions over Snapshots; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

struct Site {
  uint64_t id = 0;
  uint64_t count = 0;            // goroutines
  std::vector<uint32_t> groups;  // indexes into Snapshot::groups
};

class Sites {
 public:
  explicit Sites(const Snapshot& s);

  std::span<const Site> all() const { return sites_; }  // most goroutines first, then by id
  const Site* find(uint64_t id) const;                  // null: nobody is there
  // Of a group of the snapshot.
  const Site& of_group(uint32_t group) const { return sites_[by_group_[group]]; }

 private:
  std::vector<Site> sites_;
  std::vector<uint32_t> by_group_;
  std::unordered_map<uint64_t, uint32_t> by_id_;
};

// Where a group is blocked, in the user's eyes: the innermost frame that is neither the runtime's
// nor a lock's, a timer's or a poller's. function empty: no stack.
Frame blocked_at(const Snapshot& s, const Group& g);

// A site in words.
struct SiteNames {
  std::string wait;              // wait reason, else the state
  Frame created_by, blocked_at;  // function empty: not known
};
SiteNames names_of(const Snapshot& s, const Site& site);

}  // namespace weir::profiler
