// Profile: what was summed up by stack, as a value: who waited and who kept others waiting, what
// used the processor, who created the goroutines that there are. Go's profiles of the same names.
//
//   weir::set_block_profile_rate(1);
//   ...
//   weir::profiler::write_pprof(weir::profiler::block_profile(), sink);
//
// (The profile of all goroutines is the Snapshot's: capture.h.) No pointers into the process: a
// Profile has its own functions and lines.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/encode.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler {

struct ValueType {
  std::string type, unit;  // "delay", "nanoseconds"
  bool operator==(const ValueType&) const = default;
};

struct Profile {
  struct Sample {
    uint32_t stack = kNone;       // index into symbols.stacks; kNone: it is not known
    std::vector<int64_t> values;  // one for each of sample_types
    std::vector<std::pair<std::string, std::string>> labels;  // sorted by key
  };

  std::string name;  // "block", "mutex", "profile" (CPU), "threadcreate", "creation",
                     // "goroutine"
  std::vector<ValueType> sample_types;
  ValueType period_type;
  int64_t period = 1;                 // units of period_type from one sample to the next
  int64_t time_ns = 0;                // wall clock, ns since 1970: of the end
  int64_t duration_ns = 0;            // that it covers; 0: since the program started
  std::vector<std::string> comments;  // sentences for a person: what is missing, and why
  std::vector<Sample> samples;        // largest last value first
  bool events = false;  // stacks lead into the runtime by calls that are no news (parks, wakes):
                        // its frames at the leaf are not shown
  Snapshot symbols;     // frames, locations, mappings and stacks alone
};

// Since the program started, as Go's: what weir::set_block_profile_rate and
// set_mutex_profile_fraction (<weir/profiling.h>) have let through. Values: contentions, and the
// time waited in ns. A wait that is not over is not in it.
Profile block_profile();
Profile mutex_profile();

// The OS threads that the runtime has started and that still live. Where each one was created is
// not recorded.
Profile threadcreate_profile();

// The goroutines of a snapshot by the stack that created them; by the place of the `go` alone where
// the stack was not recorded (weir::set_creation_stacks), which a comment tells.
Profile creation_profile(const Snapshot& s);

// The goroutines of a snapshot by stack, labels, state, wait reason and creator, as write_pprof has
// them, without the times: what differences are taken of.
Profile goroutine_profile(const Snapshot& s);

// What has come from `from` to `to`, two profiles of the same kind: values subtracted by stack and
// labels, without what did not change. Go: ?seconds=N.
Profile delta(const Profile& from, Profile to);

// profile.proto, gzip: go tool pprof reads it. Indexes that point nowhere are passed over.
bool write_pprof(const Profile& p, const Sink& sink);
// Go's debug=1, which pprof reads too: "--- contention:" and "--- mutex:" for those with a delay,
// else "NAME profile: total N".
bool write_debug1(const Profile& p, const Sink& sink);

}  // namespace weir::profiler
