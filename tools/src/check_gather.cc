// Gathers the reports of a command's processes (check_gather.h).
//
// Files are PID-NS.json, whole since they take their names when they are whole, and PID-NS.running
// for as long as a run is under way, in it the program's name. Both may be of anybody who ran as
// this user: they are read within bounds.
#include "check_gather.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <utility>

#include <weir/profiler/parse.h>

#include "failure.h"
#include "printable.h"
#include "reporting.h"
#include "target.h"

namespace weir::tools {

namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxReports = 100'000;
constexpr size_t kMaxName = 100;  // bytes

std::string content(const fs::path& file, size_t most) {
  FetchOptions options;
  options.max_bytes = most;
  options.quiet = true;
  return fetch(file.string(), options);
}

// Is the process there of which this is a file?
bool is_alive(const fs::path& file) {
  const std::string name = file.filename().string();
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  return error == std::errc() && pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

std::string processes(size_t n) { return std::to_string(n) + (n == 1 ? " process" : " processes"); }

void describe_silent(const std::vector<fs::path>& marks, Gathered& g) {
  std::map<std::pair<std::string, bool>, size_t> counts;  // name, alive
  for (const fs::path& mark : marks) {
    std::string name = "a program";
    try {
      name = first_line(content(mark, kMaxName));
    } catch (const Failure&) {
      // Its run has ended just now; or what is there is no mark of ours.
    }
    ++counts[{name, is_alive(mark)}];
  }
  for (const auto& [key, count] : counts) {
    g.report.notes.push_back(
        key.first + ": " + processes(count) +
        (key.second ? " still running: what is left behind is not known."
                    : " ended before weir::run did: what was left behind is not known."));
  }
}

}  // namespace

PrivateDirectory::PrivateDirectory() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  std::string name = ((error ? fs::path("/tmp") : parent) / "weir-check-XXXXXX").string();
  if (!mkdtemp(name.data())) throw Failure(name, strerror(errno));
  path_ = name + "/";
}

PrivateDirectory::~PrivateDirectory() {
  // A process that is still there may put a report into it meanwhile.
  for (int i = 0; i < 3; ++i) {
    std::error_code error;
    fs::remove_all(path_, error);
    if (!error) return;
  }
}

Gathered gather(const std::string& directory) {
  std::vector<fs::path> reports, marks;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const fs::path& file = at->path();
    if (file.extension() == ".json") reports.push_back(file);
    if (file.extension() == ".running") marks.push_back(file);
  }
  if (error) throw Failure(directory, error.message());
  std::ranges::sort(reports);
  Gathered g;
  if (reports.size() > kMaxReports) {
    g.unreadable.push_back(processes(reports.size() - kMaxReports) + " too many");
    reports.resize(kMaxReports);
  }
  for (const fs::path& file : reports) {
    try {
      if (!fs::is_regular_file(fs::symlink_status(file))) throw Failure("", "it is no file");
      profiler::Report r = profiler::parse_report(content(file, size_t{256} << 20));
      for (profiler::Findings& f : r.all) g.report.all.push_back(std::move(f));
      ++g.processes;
    } catch (const std::exception& e) {
      g.unreadable.push_back("report " + file.filename().string() + ": " + e.what());
    }
  }
  g.silent = marks.size();
  describe_silent(marks, g);
  merge(g.report.all);
  for (const std::string& why : g.unreadable)
    g.report.notes.push_back("Not readable: " + why + ".");
  g.report.complete = g.unreadable.empty();
  return g;
}

}  // namespace weir::tools
