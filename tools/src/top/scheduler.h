// The view of the scheduler: its processors, queues, threads and rates as weir's endpoint tells
// them; and what no endpoint is needed for: states and wait reasons of the goroutines.
#pragma once

#include <vector>

#include "line.h"
#include "sample.h"

namespace weir::tools::top {

std::vector<Line> scheduler_lines(const Sample& sample, size_t columns, Charset charset);

}  // namespace weir::tools::top
