// What an expanded line shows below itself: stacks of a group; cause, evidence and stack of a
// finding.
#pragma once

#include <vector>

#include "line.h"
#include "sample.h"

namespace weir::tools::top {

std::vector<Line> row_details(const Sample& sample, const Row& row, size_t columns,
                              Charset charset);
std::vector<Line> finding_details(const profiler::Finding& finding, size_t columns,
                                  Charset charset);

}  // namespace weir::tools::top
