// WEIR_LEAKCHECK: looks for goroutines that are left at the end of each weir::run, in every program
// that is linked with this library: its link options pull this file in although nothing calls it
// (see CMakeLists.txt).
//
//   WEIR_LEAKCHECK=exit|off        off is the default, and the empty text is as not set
//   WEIR_LEAKCHECK_REPORT=FILE     and write the findings there, as JSON, schema "weir.findings/1";
//                                  %p in it is the process id, %% is %
//   WEIR_LEAKCHECK_IGNORE=REGEX    goroutines are left out that have a function or file on their
//                                  stack, or as their creator's, in which this (RE2's) is found
//
// exit: when main has returned, the other goroutines go on for as long as a LeakGuard would wait
// for them (500 ms where they are blocked, 5 s otherwise), then findings go to stderr. The process
// goes on to its own end, and exits with status 66 where it would have exited with 0.
//
// Since a later run in the same process lets the goroutines of a former go on, the last one's end
// counts: for the report, which is written anew at each end, also where there are no findings, and
// for the exit status. What was printed once is not printed again.
//
// The report is written to a file beside it, which then takes its name: it is there as a whole or
// not at all. (FILE is looked up at that time: a program that changes its directory wants a full
// path.) A process that ends before the end of a run writes none. Child processes have the
// same environment: %p keeps their reports apart.
#include <weir/run_hook.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <weir/profiler/error.h>
#include <weir/profiler/finding.h>
#include <weir/testing.h>

#include "encode_text.h"
#include "exit_status.h"
#include "pattern.h"
#include "settle.h"

extern "C" {
// What the linker is told to look for.
extern const char weir_profiler_leak_check;
const char weir_profiler_leak_check = 1;
}

namespace weir::testing {

namespace {

constexpr const char* kSwitch = "WEIR_LEAKCHECK";
constexpr const char* kReport = "WEIR_LEAKCHECK_REPORT";
constexpr const char* kIgnore = "WEIR_LEAKCHECK_IGNORE";

struct Settings {
  bool on = false;
  std::string report;  // as it was given; empty: none
  std::unique_ptr<const profiler::Pattern> ignore;
};

std::string_view variable(const char* name) {
  const char* const text = getenv(name);
  return text ? text : "";
}

[[noreturn]] void refuse(const char* name, std::string_view text, std::string_view why) {
  std::string message = std::string("weir: ") + name + "=";
  profiler::encode::append_clean(message, text);
  throw std::invalid_argument(message.append(": ").append(why));
}

// Where the report goes: of this process.
std::string path_of(std::string_view report) {
  std::string path;
  for (size_t i = 0; i < report.size(); ++i) {
    if (report[i] != '%') {
      path.push_back(report[i]);
    } else if (const char next = ++i < report.size() ? report[i] : '\0'; next == 'p') {
      path.append(std::to_string(getpid()));
    } else if (next == '%') {
      path.push_back('%');
    } else {
      refuse(kReport, report, "expected %p (the process id) or %% after %");
    }
  }
  return path;
}

Settings read_settings() {
  Settings s;
  const std::string_view text = variable(kSwitch);
  if (!text.empty() && text != "off" && text != "exit") {
    refuse(kSwitch, text, "expected exit or off");
  }
  s.on = text == "exit";
  if (!s.on) return s;
  s.report = variable(kReport);
  (void)path_of(s.report);
  const std::string_view pattern = variable(kIgnore);
  try {
    if (!pattern.empty()) s.ignore = std::make_unique<const profiler::Pattern>(kIgnore, pattern);
  } catch (const profiler::error& e) {
    throw std::invalid_argument(std::string("weir: ") + e.what());
  }
  return s;
}

[[noreturn]] void fail_to_write(const std::string& path) {
  const int why = errno;
  std::string message = std::string(kReport) + ": cannot write ";
  profiler::encode::append_clean(message, path);
  throw profiler::error(message.append(": ").append(strerror(why)));
}

// Takes what is written to it for `path`, which is there only after commit(). What is there and is
// no file (a pipe, a device) is written to as it is; a symbolic link stays one.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)) {
    struct stat there {};
    if (stat(path_.c_str(), &there) == 0) {
      if (!S_ISREG(there.st_mode)) {
        committed_ = true;
        fd_ = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
        if (fd_ < 0) fail_to_write(path_);
        return;
      }
      const std::unique_ptr<char, decltype(&free)> real(realpath(path_.c_str(), nullptr), &free);
      if (real) path_ = real.get();
    }
    temporary_ = path_ + "." + std::to_string(getpid()) + ".tmp";
    fd_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd_ < 0) fail_to_write(path_);
  }
  ~NewFile() {
    close(fd_);
    if (!committed_) unlink(temporary_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail_to_write(path_);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void commit() {
    if (committed_) return;
    if (rename(temporary_.c_str(), path_.c_str()) != 0) fail_to_write(path_);
    committed_ = true;
  }

 private:
  std::string path_, temporary_;
  int fd_ = -1;
  bool committed_ = false;  // or there is nothing to commit
};

void write_report(const profiler::Findings& findings, std::string path) {
  NewFile file(std::move(path));
  profiler::write_findings_json(findings, [&file](std::string_view piece) {
    file.write(piece);
    return true;
  });
  file.commit();
}

Settings settings;  // of the run under way; there is one at a time

// Are there findings that were not printed at the end of a former run?
bool is_new(const Leaks& leaks) {
  static std::set<std::tuple<uint64_t, profiler::Kind, uint64_t>> printed;
  bool any = false;
  for (const profiler::Finding& f : leaks.findings.findings) {
    any |= printed.emplace(f.site, f.kind, f.count).second;
  }
  return any;
}

void begin() {
  if (!settling()) settings = read_settings();
}

void end() noexcept {
  if (!settings.on || settling()) return;
  try {
    const LeakOptions options;
    Leaks leaks = settle({0, options, settings.ignore.get()});
    if (is_new(leaks)) print(leaks.text());
    fail_at_exit(Watcher::run, !leaks.empty());
    if (settings.report.empty()) return;
    if (leaks.empty()) {
      leaks.findings.target = program_invocation_short_name;
      leaks.findings.taken_at_ns =
          std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
    }
    write_report(leaks.findings, path_of(settings.report));
  } catch (const std::exception& e) {
    print(std::string("weir: ") + e.what() + "\n");
    fail_at_exit(Watcher::run, true);
  }
}

RunHooks hooks{.begin = &begin, .end = &end};

[[maybe_unused]] const bool registered = [] {
  add_run_hooks(hooks);
  return true;
}();

}  // namespace

}  // namespace weir::testing
