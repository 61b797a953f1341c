// Findings -> JUnit's XML, the part of it that all readers know:
//
//   <testsuites name="weir" tests="2" failures="1" skipped="0" errors="0">
//     <testsuite name="orders" tests="1" failures="1" skipped="0" errors="0" time="0"
//     timestamp="..">
//       <testcase classname="Orders.cancelled" name="chan_send in price, created by main" file=".."
//       line="11" time="0">
//         <failure type="likely" message="57 goroutines wait ..">the finding, as text</failure>
//       </testcase>
//     </testsuite>
//   </testsuites>
//
// A process without findings is one testcase that passes; a finding that is known is skipped.
// classname is the test that left the goroutines behind, where one is known, else the process.
// What could not be looked at is an error of its own, so that nothing is green which was not seen.
#include <weir/profiler/report.h>

#include <algorithm>
#include <ctime>

#include "detect/finding_words.h"
#include "dot.h"
#include "encode.h"

namespace weir::profiler {

namespace {

// Characters that XML 1.0 has, and the others made visible; newlines stay, as `newline` writes
// them.
std::string escaped(std::string_view text, std::string_view newline) {
  std::string result;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string line;
    encode::append_clean(line, text.substr(0, end));
    for (const char c : line) {
      switch (c) {
        case '&':
          result.append("&amp;");
          break;
        case '<':
          result.append("&lt;");
          break;
        case '>':
          result.append("&gt;");
          break;
        case '"':
          result.append("&quot;");
          break;
        default:
          result.push_back(c);
      }
    }
    if (end == text.size()) break;
    result.append(newline);
    text.remove_prefix(end + 1);
  }
  return result;
}
std::string content(std::string_view text) { return escaped(text, "\n"); }
std::string attribute(std::string_view name, std::string_view value) {
  return " " + std::string(name) + "=\"" + escaped(value, "&#10;") + "\"";
}
std::string attribute(std::string_view name, uint64_t value) {
  return attribute(name, std::to_string(value));
}

std::string timestamp(int64_t ns) {
  const auto seconds = static_cast<time_t>(ns / 1'000'000'000);
  tm utc{};
  if (ns <= 0 || !gmtime_r(&seconds, &utc)) return {};
  char text[64];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc)};
}

struct Counts {
  uint64_t tests = 0, failures = 0, skipped = 0, errors = 0;

  void add(const Findings& f) {
    tests += std::max<size_t>(f.findings.size(), 1);
    for (const Finding& finding : f.findings) ++(finding.known ? skipped : failures);
  }
  std::string attributes() const {
    return attribute("tests", tests) + attribute("failures", failures) +
           attribute("skipped", skipped) + attribute("errors", errors);
  }
};

std::string name_of(const Findings& f) {
  return f.target.empty() ? "process" : dot_text::shortened(f.target, finding_words::kMaxText);
}

void write(encode::Out& out, const Finding& f, const std::string& process, std::string_view root) {
  std::string text = "    <testcase";
  text.append(attribute("classname", f.test.empty() ? process : dot_text::shortened(f.test, 500)));
  text.append(attribute("name", finding_words::title(f)));
  if (const auto place = finding_words::place_to_show(f, root); place.frame) {
    text.append(attribute("file", place.path));
    if (place.frame->line > 0) {
      text.append(attribute("line", static_cast<uint64_t>(place.frame->line)));
    }
  }
  text.append(" time=\"0\">\n");
  if (f.known) {
    text.append("      <skipped" + attribute("message", "known: " + f.cause) + "/>\n");
    text.append("      <system-out>" + content(finding_words::text_of(f)) + "</system-out>\n");
  } else {
    text.append("      <failure" + attribute("type", to_string(f.certainty)) +
                attribute("message", f.cause) + ">");
    text.append(content(finding_words::text_of(f)) + "</failure>\n");
  }
  out.write(text + "    </testcase>\n");
}

void write(encode::Out& out, const Findings& f, std::string_view root) {
  const std::string process = name_of(f);
  Counts counts;
  counts.add(f);
  const std::string time = timestamp(f.taken_at_ns);
  out.write("  <testsuite" + attribute("name", process) + counts.attributes() + " time=\"0\"" +
            (time.empty() ? "" : attribute("timestamp", time)) + ">\n");
  if (f.findings.empty()) {
    out.write("    <testcase" + attribute("classname", process) +
              " name=\"no goroutine leaks\" time=\"0\"/>\n");
  }
  for (const Finding& finding : f.findings) {
    if (!out.ok()) return;
    write(out, finding, process, root);
  }
  if (!f.notes.empty()) {
    std::string notes;
    for (const std::string& note : f.notes) notes.append(content(note) + "\n");
    out.write("    <system-out>" + notes + "</system-out>\n");
  }
  out.write("  </testsuite>\n");
}

}  // namespace

bool write_report_junit(const Report& r, const Sink& sink) {
  Counts all;
  for (const Findings& f : r.all) all.add(f);
  const bool has_own = !r.complete || !r.notes.empty();
  all.tests += has_own ? 1 : 0;
  all.errors += r.complete ? 0 : 1;
  encode::Out out(sink);
  out.write("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"weir\"" +
            all.attributes() + ">\n");
  for (const Findings& f : r.all) {
    if (!out.ok()) break;
    write(out, f, r.root);
  }
  if (has_own) {
    Counts own;
    own.tests = 1;
    own.errors = r.complete ? 0 : 1;
    std::string notes;
    for (const std::string& note : r.notes) notes.append(content(note) + "\n");
    out.write("  <testsuite name=\"weir\"" + own.attributes() +
              " time=\"0\">\n    <testcase classname=\"weir\" name=\"everything was looked at\" "
              "time=\"0\">\n");
    out.write(r.complete ? "      <system-out>" + notes + "</system-out>\n"
                         : "      <error type=\"incomplete\" message=\"not everything could be "
                           "looked at\">" +
                               notes + "</error>\n");
    out.write("    </testcase>\n  </testsuite>\n");
  }
  out.write("</testsuites>\n");
  return out.finish();
}

}  // namespace weir::profiler
