// Source: takes samples of one target, each the cheapest that tells what the screen shows.
//
//   weir   debug=1, which has counts, states, longest waits and creators of any number of
//   goroutines
//          in as many records as there are different stacks; findings and scheduler of its endpoint
//   Go     debug=2 while there are few goroutines: waits and creators. Go stops the program while
//          it writes that, so from kFewGoroutines on debug=1, which has counts alone. Findings by
//          our own detector
//   file   whatever is in it, read again when it has changed; findings likewise
//
// Not thread-safe: one thread takes all samples.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <weir/profiler/detector.h>

#include "../target.h"
#include "counts.h"
#include "sample.h"

namespace weir::tools::top {

class Source {
 public:
  static constexpr uint64_t kFewGoroutines = 1000;

  // The body of a path at the endpoint; throws.
  using Get = std::function<std::string(const std::string& path)>;

  Source(std::string target, const FetchOptions& options);
  // As an endpoint that `get` asks.
  explicit Source(Get get);

  // Throws what the target's failure is: of the goroutines; what is missing beside them is told in
  // the sample. `at_ns`: of a clock that only goes forward.
  Sample take(int64_t at_ns);

 private:
  profiler::Snapshot endpoint_snapshot(Sample& to);
  profiler::Snapshot file_snapshot(Sample& to);
  profiler::Snapshot parsed(const std::string& body, Sample& to) const;
  void ask_weir(Sample& to);
  void detect(const profiler::Snapshot& s, Sample& to);
  void digest(profiler::Snapshot s, Sample& to);
  void ask_program();

  std::string target_;
  FetchOptions options_;
  Get get_;  // empty: a file
  Counts counts_;
  profiler::Detector detector_;
  std::optional<Origin> origin_;  // of an endpoint: not given until it has shown
  bool crowded_ = false;          // Go: too many goroutines for debug=2
  std::optional<Sched> sched_;    // of the sample before
  std::optional<std::string> program_;
  std::string file_state_;  // size and time of the file when it was read
  std::optional<Sample> file_sample_;
};

}  // namespace weir::tools::top
