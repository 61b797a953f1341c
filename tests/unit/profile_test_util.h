// What the tests of profiles share: sums by function, and what go tool pprof says of them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/profile.h>

#include "reader_process.h"

namespace weir::profiler::testing {

inline std::vector<std::string> functions(const Profile& p, const Profile::Sample& sample) {
  std::vector<std::string> names;
  if (sample.stack >= p.symbols.stacks.size()) return names;
  for (const uint32_t l : p.symbols.stacks[sample.stack].locations) {
    for (const uint32_t f : p.symbols.locations.at(l).frames) {
      names.push_back(p.symbols.frames.at(f).function);
    }
  }
  return names;
}

inline bool calls(const Profile& p, const Profile::Sample& sample, std::string_view function) {
  const std::vector<std::string> names = functions(p, sample);
  return std::find(names.begin(), names.end(), function) != names.end();
}

// The sum of the samples that go through the function; "": of all.
inline int64_t sum(const Profile& p, size_t value, std::string_view function = {}) {
  int64_t total = 0;
  for (const Profile::Sample& sample : p.samples) {
    if (function.empty() || calls(p, sample, function)) total += sample.values.at(value);
  }
  return total;
}

using ProfileWriter = bool (*)(const Profile&, const Sink&);

inline std::string written(ProfileWriter writer, const Profile& p) {
  std::string all;
  EXPECT_TRUE(writer(p, [&all](std::string_view piece) {
    all.append(piece);
    return true;
  }));
  return all;
}

inline std::string pprof(const std::string& options, const Profile& p,
                         ProfileWriter writer = write_pprof) {
  return ReaderProcess().read("go tool pprof " + options, written(writer, p));
}

}  // namespace weir::profiler::testing
