// The report of this process (report.h).
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <weir/profiler/error.h>
#include <weir/profiler/finding.h>

#include "encode_text.h"
#include "roomy_stack.h"

namespace weir::testing::report {

namespace {

using profiler::Finding;
using profiler::Findings;

constexpr const char* kReport = "WEIR_LEAKCHECK_REPORT";

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  std::string message = std::string("weir: ") + kReport + "=";
  profiler::encode::append_clean(message, text);
  throw std::invalid_argument(message.append(": ").append(why));
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

int64_t wall_ns() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

// What is to be written; of one process.
class State {
 public:
  // The report's file. In a directory: no other process has it, whatever its id.
  std::string file(const std::string& path) {
    begin_process();
    return path.ends_with('/') ? path + own_name_ + ".json" : path;
  }
  std::string mark(const std::string& path) {
    begin_process();
    return path.ends_with('/') ? path + own_name_ + ".running" : std::string();
  }

  void set_last(const Findings& left) {
    begin_process();
    last_ = left;
  }

  void add(const Findings& found) {
    begin_process();
    for (Finding f : found.findings) {
      if (is_told(f)) continue;
      if (found.target != program_invocation_short_name) f.test = found.target;
      goids_.insert(f.goids.begin(), f.goids.end());
      counts_[f.site] += f.count;
      if (told_.size() < Findings::kMost) {
        told_.push_back(std::move(f));
      } else {
        ++not_kept_;
      }
    }
  }

  std::vector<uint64_t> told() {
    begin_process();
    return {goids_.begin(), goids_.end()};
  }

  Findings all() const {
    Findings all = last_;
    all.target = program_invocation_short_name;
    all.taken_at_ns = wall_ns();
    // Those that tests have told of, whose goroutines are still there.
    std::erase_if(all.findings, [this](const Finding& f) {
      const auto told = counts_.find(f.site);
      return told != counts_.end() && f.count <= told->second;
    });
    all.goroutines = 0;
    all.findings.insert(all.findings.end(), told_.begin(), told_.end());
    for (const Finding& f : all.findings) all.goroutines += f.count;
    sort_findings(all.findings);
    size_t left_out = not_kept_;
    if (all.findings.size() > Findings::kMost) {
      left_out += all.findings.size() - Findings::kMost;
      all.findings.resize(Findings::kMost);
    }
    if (left_out > 0) {
      all.notes.push_back("There are " + std::to_string(left_out) +
                          " more findings, which are left out.");
    }
    return all;
  }

 private:
  void begin_process() {
    if (process_ == getpid()) return;
    *this = State();
    process_ = getpid();
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    own_name_ =
        std::to_string(process_) + "-" + std::to_string(std::chrono::nanoseconds(now).count());
  }

  // A guard's, which the test around it finds as well.
  bool is_told(const Finding& f) const {
    const auto count = counts_.find(f.site);
    if (f.goids.empty() || count == counts_.end() || f.count > count->second) return false;
    for (const uint64_t goid : f.goids) {
      if (!goids_.contains(goid)) return false;
    }
    return true;
  }

  pid_t process_ = 0;
  std::string own_name_;
  Findings last_;              // of the end of the last run
  std::vector<Finding> told_;  // by tests and guards
  size_t not_kept_ = 0;
  std::unordered_set<uint64_t> goids_;             // of told_
  std::unordered_map<uint64_t, uint64_t> counts_;  // of told_: goroutines by site
};

std::mutex mu;
State& state() {
  static State* const one = new State();  // guards may end after static destructors
  return *one;
}

void write(const std::string& path) {
  profiler::on_roomy_stack([file_name = state().file(path), findings = state().all()] {
    NewFile file(file_name);
    const bool written = profiler::write_findings_json(findings, [&file](std::string_view piece) {
      file.write(piece);
      return true;
    });
    file.commit();
    return written;
  });
}

}  // namespace

std::string path_of(std::string_view pattern) {
  std::string path;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      path.push_back(pattern[i]);
    } else if (const char next = ++i < pattern.size() ? pattern[i] : '\0'; next == 'p') {
      path.append(std::to_string(getpid()));
    } else if (next == '%') {
      path.push_back('%');
    } else {
      refuse(pattern, "expected %p (the process id) or %% after %");
    }
  }
  return path;
}

void begin_run(const std::string& path) noexcept {
  const std::scoped_lock hold(mu);
  const std::string mark = state().mark(path);
  if (mark.empty()) return;
  // Without it, who reads the directory does not know of this process unless it ends as it should.
  const int fd = open(mark.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return;
  const std::string_view name = program_invocation_short_name;
  [[maybe_unused]] const ssize_t n = ::write(fd, name.data(), name.size());
  close(fd);
}

void end_run(const std::string& path, const Leaks& left) {
  const std::scoped_lock hold(mu);
  state().set_last(left.findings);
  write(path);
  if (const std::string mark = state().mark(path); !mark.empty()) unlink(mark.c_str());
}

void add(const std::string& path, const Leaks& leaks) {
  const std::scoped_lock hold(mu);
  state().add(leaks.findings);
  write(path);
}

std::vector<uint64_t> told() {
  const std::scoped_lock hold(mu);
  return state().told();
}

}  // namespace weir::testing::report
