// What the zoo's ticker says every few seconds: who is there, and which leaks were found.
#pragma once

#include <map>
#include <string>
#include <utility>

#include <weir/profiler/detector.h>
#include <weir/profiler/snapshot.h>

namespace zoo {

// "57 goroutines: 20 x chan receive (nil chan) in zoo::nil_chan_receive (blocked.cc:26); ..." with
// the largest groups.
std::string summary(const weir::profiler::Snapshot& s);

// Findings as they come: a line for each that is new, or surer than it was.
class Findings {
 public:
  // `at_ns`: of a clock that only goes forward. Empty: nothing new.
  std::string news(const weir::profiler::Snapshot& s, int64_t at_ns);

 private:
  weir::profiler::Detector detector_;
  std::map<std::pair<uint64_t, weir::profiler::Kind>, weir::profiler::Certainty> told_;
};

}  // namespace zoo
