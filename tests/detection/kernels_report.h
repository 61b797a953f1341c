// What the detectors made of the kernels: right and wrong, by family.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels.h"
#include "kernels_run.h"

namespace kernels {

struct Result {
  std::string family;
  const Kernel* kernel = nullptr;
  std::vector<Round> rounds;  // fewer than kRounds: the process has died
};

struct Report {
  std::string markdown;
  // Every leak that is not hard was found, with the right kind and place and as certain as it
  // should be; nothing wrong was called certain; likely findings are right at least 99 times in
  // 100.
  bool good = false;
};

// `results` in the order of families.
Report report(const std::vector<Result>& results, uint64_t seed);

}  // namespace kernels
