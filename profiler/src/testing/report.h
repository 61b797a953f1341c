// The report of this process (WEIR_LEAKCHECK_REPORT): what the end of the last run has left, and
// what tests and guards have told.
//
// What a test has told is its own: the end of a run that finds the same goroutines does not tell
// them again. All functions are thread-safe; a child by fork(2) begins with an empty report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/testing.h>

namespace weir::testing::report {

// The file or, with a slash at its end, the directory that WEIR_LEAKCHECK_REPORT means in this
// process. Throws std::invalid_argument.
std::string path_of(std::string_view pattern);

// A run begins. In a directory a mark is left, PID-NS.running, which stays where the process ends
// before the run does.
void begin_run(const std::string& path) noexcept;
// It has ended, and this was left. Throws profiler::error where the report cannot be written.
void end_run(const std::string& path, const Leaks& left);
// What a test or a guard has found; its name is findings.target. As end_run.
void add(const std::string& path, const Leaks& leaks);

// Goroutines that have been told by add(), as far as findings name them.
std::vector<uint64_t> told();

}  // namespace weir::testing::report
