// Invariant: while a temporary file exists its name is in g_temporary, and a signal that ends the
// process removes it. The file takes the old one's place by rename, which is one step.
#include "output.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <random>
#include <system_error>

#include "failure.h"

namespace weir::tools {

namespace {

constexpr size_t kBuffer = size_t{1} << 16;  // bytes
const std::string kStdout = "stdout";

std::string error_text(int error) { return std::generic_category().message(error); }

// The temporary file that a signal removes; null: none. Its text is never freed while it is here.
std::atomic<const char*> g_temporary{nullptr};
static_assert(std::atomic<const char*>::is_always_lock_free);  // or no handler could read it

constexpr std::array kEnding = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

void remove_and_die(int signal) {
  if (const char* const file = g_temporary.exchange(nullptr)) unlink(file);
  ::signal(signal, SIG_DFL);
  raise(signal);  // delivered once the handler returns
}

// Signals that end the process remove the temporary file first. One that is ignored (nohup) stays
// so.
class Guard {
 public:
  explicit Guard(const char* temporary) {
    g_temporary = temporary;
    for (size_t i = 0; i < kEnding.size(); ++i) {
      struct sigaction action {};
      action.sa_handler = remove_and_die;
      sigaction(kEnding[i], nullptr, &before_[i]);
      if (before_[i].sa_handler == SIG_DFL) sigaction(kEnding[i], &action, nullptr);
    }
  }
  ~Guard() {
    g_temporary = nullptr;
    for (size_t i = 0; i < kEnding.size(); ++i) sigaction(kEnding[i], &before_[i], nullptr);
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  std::array<struct sigaction, kEnding.size()> before_{};
};

// Collects small pieces. Its sink is false once the reader has gone.
class Stream {
 public:
  Stream(int fd, const std::string& name) : fd_(fd), name_(name) {}

  void write(const std::function<void(const profiler::Sink&)>& write) {
    write([this](std::string_view piece) {
      if (buffer_.size() + piece.size() > kBuffer) flush();
      if (piece.size() > kBuffer) {
        send(piece);
      } else {
        buffer_.append(piece);
      }
      return !gone_;
    });
    flush();
  }

 private:
  void flush() {
    send(buffer_);
    buffer_.clear();
  }
  void send(std::string_view bytes) {
    while (!bytes.empty() && !gone_) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n >= 0) {
        bytes.remove_prefix(static_cast<size_t>(n));
      } else if (errno == EPIPE) {
        gone_ = true;
      } else if (errno != EINTR) {
        throw Failure(name_, "cannot be written: " + error_text(errno));
      }
    }
  }

  const int fd_;
  const std::string& name_;
  std::string buffer_;
  bool gone_ = false;
};

// SIGPIPE would end the process where a reader is gone; EPIPE tells it as well.
void ignore_sigpipe() {
  struct sigaction before {};
  sigaction(SIGPIPE, nullptr, &before);
  if (before.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// A link stays a link: what it leads to is replaced.
std::string followed(const std::string& file) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(file.c_str(), nullptr), &free);
  return real ? real.get() : file;
}

mode_t new_file_mode() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

void replace_file(const std::string& file, mode_t mode,
                  const std::function<void(const profiler::Sink&)>& write) {
  const std::string target = followed(file);
  const size_t slash = target.rfind('/');
  const std::string dir = slash == target.npos ? "" : target.substr(0, slash + 1);
  std::random_device random;
  const std::string temporary = dir + ".weir-" + std::to_string(getpid()) + "-" +
                                std::to_string(random()) + std::to_string(random());
  const Guard guard(temporary.c_str());  // from before the file exists
  const Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) throw Failure(file, "cannot be written: " + error_text(errno));
  try {
    Stream(fd.get(), file).write(write);
    if (fchmod(fd.get(), mode) != 0 || rename(temporary.c_str(), target.c_str()) != 0) {
      throw Failure(file, "cannot be written: " + error_text(errno));
    }
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
}

}  // namespace

void write_output(const std::string& file,
                  const std::function<void(const profiler::Sink&)>& write) {
  ignore_sigpipe();
  if (file.empty() || file == "-") return Stream(STDOUT_FILENO, kStdout).write(write);
  struct stat status {};
  const bool exists = stat(file.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) throw Failure(file, error_text(EISDIR));
  if (!exists || S_ISREG(status.st_mode)) {
    return replace_file(file, exists ? status.st_mode & 07777 : new_file_mode(), write);
  }
  const Fd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0) throw Failure(file, "cannot be written: " + error_text(errno));
  Stream(fd.get(), file).write(write);
}

bool is_terminal(const std::string& file) {
  return (file.empty() || file == "-") && isatty(STDOUT_FILENO) == 1;
}

void refuse_terminal(const std::string& file, std::string_view format) {
  if (!is_terminal(file)) return;
  throw Failure("stdout", std::string(format) +
                              " is binary, and this is a terminal: give -o FILE, or pipe it");
}

bool use_colour(int fd) {
  const char* no = std::getenv("NO_COLOR");
  return (no == nullptr || *no == '\0') && isatty(fd) == 1;
}

}  // namespace weir::tools
