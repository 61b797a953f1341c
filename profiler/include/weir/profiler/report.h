// Report: the findings of several processes or targets, in the formats that people and continuous
// integration read, and back from JSON.
//
// The writers are pure functions; output is streamed to the sink. Whatever the names hold, it is
// escaped for where it stands.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/encode.h>
#include <weir/profiler/finding.h>

namespace weir::profiler {

struct Report {
  std::vector<Findings> all;       // of each process or target
  std::vector<std::string> notes;  // sentences on all of them
  bool complete = true;            // false: something that was to be looked at could not be
  bool baseline = false;           // a baseline was asked: Finding::known tells what it has

  // Full path of the directory that the files of the sources are named from; empty: as they are.
  std::string root{};
  std::string version{};  // of the program that reports
};

// What makes a leak the same one in another run, or after other lines of its file were changed: the
// kind, and the functions where it is stuck and where it was created. Neither lines nor ids nor
// addresses.
struct Identity {
  std::string kind, blocked_at, created_by;
  auto operator<=>(const Identity&) const = default;
  // Neither function is known: nothing tells it from others of its kind.
  bool empty() const { return blocked_at.empty() && created_by.empty(); }
};
Identity identity_of(const Finding& f);

// As write_findings_text, one process after the other; then the notes.
bool write_report_text(const Report& r, const Sink& sink);
// JSON, schema "weir.reports/1": src/detect/finding_json.cc describes it.
bool write_report_json(const Report& r, const Sink& sink);
// JUnit's XML, as Jenkins, GitLab and others read it: a testsuite for each process or target, in it
// a failed testcase for each finding (skipped, where it is known), or one that passes.
bool write_report_junit(const Report& r, const Sink& sink);
// SARIF 2.1.0: one run with all results; a rule for each kind that was found.
bool write_report_sarif(const Report& r, const Sink& sink);
// Workflow commands that GitHub makes annotations of, the most certain findings first.
bool write_report_github(const Report& r, const Sink& sink);

// JSON of "weir.findings/1" or "weir.reports/1" -> Report. Input is not trusted: it is at most 256
// MiB, at most 8 million values, and every value that has a meaning has its type, or ParseError
// (parse.h) says which has not. Keys that are not known are passed over.
Report parse_report(std::string_view json);
// Does it begin like such JSON? Tells it from other formats; parse_report may still refuse it.
bool looks_like_report(std::string_view bytes);

}  // namespace weir::profiler
