// filter: of a snapshot the goroutines that are asked for.
//
//   Filter f = parse_filter({.query = "orders.cc:11", .states = "chan send", .labels =
//   {"tenant=blue"}}); write_debug1(filter(capture(), f), sink);
//
// Pure functions over Snapshots; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// A goroutine has to pass all of what is given.
struct Filter {
  struct Label {
    std::string key;
    std::optional<std::string> value{};  // not given: any
  };

  // Found in what the dumps show of it: the function or the `file:line` of a shown frame or of the
  // creator, the wait reason, the name, a label's value or its `key=value`. Upper and lower case
  // are alike. It is found as it stands, so that what was copied from a dump finds what it was
  // copied from, and also as a regular expression (RE2's) where it is one. Empty: all are.
  std::string query{};
  // Its state is one of these, or its wait reason is, as dumps call them: "running", "waiting",
  // "chan receive", in whatever case. Empty: all are.
  std::vector<std::string> states{};
  std::vector<Label> labels{};  // it has each of them
  // Go import paths or namespaces of C++. Where it is blocked (blocked_at of sites.h) or its
  // creator is in one of them: the function begins with it, and `::`, `.`, `/` or nothing comes
  // next. Empty: all are.
  std::vector<std::string> packages{};
  // Somebody in its group has waited at least that long, ns. Groups that look the same (group_ids
  // of groups.h) are one: who is shown groups alone finds the same. 0: all have.
  int64_t age_ns = 0;
  std::optional<uint64_t> site{};  // it is of this site (sites.h)
  // And also who holds the locks that these goroutines wait for, and whom those wait for: so that
  // the wait graph and its deadlocks stay whole. Asks for Detail::objects.
  bool owners = false;

  bool is_empty() const {
    return query.empty() && states.empty() && labels.empty() && packages.empty() && age_ns <= 0 &&
           !site;
  }
};

// The words of a person, as parameters and options have them. Empty: not given.
struct FilterWords {
  std::string query{};
  std::string states{};                 // one or several, separated by commas
  std::vector<std::string> labels{};    // "key" or "key=value" each
  std::vector<std::string> packages{};  // at most 16
  std::string age{};                    // seconds
  std::string site{};                   // "0x1f", as findings and trends have it
};

// Throws weir::profiler::error, which names the parameter (q, state, label, package, age, site) and
// tells what is expected, and repeats nothing of what was given.
Filter parse_filter(const FilterWords& words);

// What passes, with its part of the tables alone; contexts stay as they are, being no goroutines.
// `total` and the counts and times of groups are those of what is left, `left_out` tells how many
// are not. Names are known to snapshots from Detail::members on; where goroutines of one group have
// different names, the others leave the group. Times of a group whose members have none are not
// known afterwards. Throws weir::profiler::error where `query` is longer than 1000 bytes.
Snapshot filter(Snapshot s, const Filter& f);

// The groups that are chosen by their index, as a filter would leave them. Those beyond the end of
// `chosen` are not.
Snapshot keep_groups(Snapshot s, const std::vector<bool>& chosen);

}  // namespace weir::profiler
