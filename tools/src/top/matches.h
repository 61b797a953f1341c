// Which rows and findings a filter leaves: those where it is found in what is shown of them, as the
// endpoint's `q=` does (profiler/filter.h): as it stands, or as a regular expression.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "sample.h"

namespace weir::tools::top {

// Sites with a group that matches. An empty filter has all.
std::unordered_set<uint64_t> matching_sites(const Sample& sample, const std::string& filter);
// Indexes into the findings.
std::vector<uint32_t> matching_findings(const profiler::Findings& findings,
                                        const std::string& filter);

}  // namespace weir::tools::top
