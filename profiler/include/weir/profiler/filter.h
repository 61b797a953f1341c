// filter: of a snapshot the goroutines that are asked for.
//
//   Filter f = parse_filter("orders.cc:11", "chan send", {"tenant=blue"});
//   write_debug1(filter(capture(), f), sink);
//
// Pure functions over Snapshots; thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
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
  // And also who holds the locks that these goroutines wait for, and whom those wait for: so that
  // the wait graph and its deadlocks stay whole. Asks for Detail::objects.
  bool owners = false;

  bool is_empty() const { return query.empty() && states.empty() && labels.empty(); }
};

// From the words of a person. `states`: one or several, separated by commas; `labels`: "key" or
// "key=value" each. Throws weir::profiler::error, which names the parameter (q, state, label) and
// tells what is expected, and repeats nothing of what was given.
Filter parse_filter(std::string_view query, std::string_view states,
                    std::span<const std::string> labels);

// What passes, with its part of the tables alone; contexts stay as they are, being no goroutines.
// `total` and the counts and times of groups are those of what is left, `left_out` tells how many
// are not. Names are known to snapshots from Detail::members on; where goroutines of one group have
// different names, the others leave the group. Times of a group whose members have none are not
// known afterwards. Throws weir::profiler::error where `query` is longer than 1000 bytes.
Snapshot filter(Snapshot s, const Filter& f);

}  // namespace weir::profiler
