// What `weir leaks` and `weir check` share: which findings count, the baseline, and the report.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/report.h>
#include <CLI/CLI.hpp>

#include "baseline.h"

namespace weir::tools {

struct ReportOptions {
  std::string format = "text";
  std::string output;  // empty: stdout
  std::vector<std::string> ignore;
  std::string min_certainty = "suspect";
  std::string baseline;  // empty: none
  bool update_baseline = false;
  std::string root;  // empty: the repository that the command runs in, else where it runs
};

void add_report_options(CLI::App& command, ReportOptions& options);

struct Verdict {
  size_t fresh = 0, known = 0;  // findings
  bool with_baseline = false;
  std::string text() const;  // "2 new leaks, 3 known"
};

class Reporting {
 public:
  // Reads the baseline. Throws Failure or profiler::error where an option is not what it should be:
  // before anything is run.
  explicit Reporting(const ReportOptions& options);

  // Leaves out the findings that do not count, marks those that are known, and notes what became of
  // the baseline, which is written where that was asked for. `is_whole`: everything was seen that
  // could have leaked; else leaks that did not show stay in a baseline that is written.
  Verdict judge(profiler::Report& report, bool is_whole) const;
  // Throws Failure.
  void write(const profiler::Report& report) const;

  const ReportOptions& options() const { return options_; }

 private:
  void update(profiler::Report& report, bool is_whole) const;

  ReportOptions options_;
  profiler::Certainty least_;
  Baseline baseline_;
};

// Findings of the same target become one, and so do those that are one leak of one test: their
// goroutines are added up. Sorted by target.
void merge(std::vector<profiler::Findings>& all);

// A report in one of the formats of --format.
bool write_report(const profiler::Report& report, std::string_view format,
                  const profiler::Sink& sink);

}  // namespace weir::tools
