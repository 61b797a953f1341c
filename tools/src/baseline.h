// The baseline: leaks that a team knows of and has not mended yet. They are shown, and make nothing
// fail; new ones do.
//
//   {"schema":"weir.baseline/1",
//    "leaks":[
//     {"kind":"chan_send","blocked_at":"orders::price","created_by":"orders::serve"}
//   ]}
//
// One leak a line, sorted: made for reviews and merges. A leak is what profiler::Identity says: it
// is the same one after lines have moved, however many goroutines it has and however certain it is,
// in whichever process or test it comes up. (Counts and certainty vary from run to run.) One of
// which neither function is known is never in a baseline.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/report.h>

namespace weir::tools {

class Baseline {
 public:
  // Throws Failure, which names the file, where it cannot be read or is no baseline.
  static Baseline load(const std::string& file);
  static Baseline parse(const std::string& file, std::string_view json);

  bool has(const profiler::Identity& leak) const { return leaks_.contains(leak); }
  void add(const profiler::Identity& leak);
  const std::set<profiler::Identity>& leaks() const { return leaks_; }

  // Marks the findings that it has, and returns its leaks that none of them is, sorted.
  std::vector<profiler::Identity> mark(profiler::Report& report) const;

  std::string text() const;
  // Replaces the file. Throws Failure.
  void save(const std::string& file) const;

 private:
  std::set<profiler::Identity> leaks_;
};

}  // namespace weir::tools
