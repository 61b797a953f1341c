// What a filter asks of groups as a whole: package, age, site. Looks at the snapshot once; refers
// to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <weir/profiler/filter.h>
#include <weir/profiler/sites.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// A function of Go's or of C++ in a package or namespace, or below it.
bool is_in_package(std::string_view function, std::string_view package);

class GroupFilter {
 public:
  GroupFilter(const Snapshot& s, const Filter& f);

  // Of a group, by its index into Snapshot::groups.
  bool passes(uint32_t group) const;

 private:
  bool is_in_packages(const Group& g) const;

  const Snapshot& s_;
  const Filter& f_;
  std::optional<Sites> sites_;   // where one is asked for
  std::vector<int64_t> oldest_;  // by group; where an age is asked for
};

}  // namespace weir::profiler
