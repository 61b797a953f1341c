// render(): starts the process that draws (layout.h), feeds it, and reads the picture.
//
// Why a process: libgvc may not return for minutes, has no way to be stopped, ends the process on
// some of its errors, and is not free of memory errors; none of that may happen to the program that
// is looked at. Why this executable and not `dot`: what is installed beside a program in production
// is its libraries. Why not fork alone: a child of a process with threads may only exec.
//
// Invariants: the child gets stdin, stdout and stderr, and no other descriptor; a small environment
// instead of the program's (whose LD_PRELOAD, profilers and the like would act again); default
// signals. It is waited for, unless somebody else has reaped it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <memory>
#include <semaphore>
#include <string>
#include <system_error>
#include <vector>

#include <weir/profiler/draw.h>
#include <weir/profiler/error.h>

#include "encode_text.h"
#include "layout.h"

namespace weir::profiler {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* kInstead = "; format dot works, for Graphviz elsewhere";
constexpr size_t kMaxHead = 64;  // bytes of the child's first line

[[noreturn]] void fail(const std::string& why) { throw error("cannot draw: " + why); }
[[noreturn]] void fail_errno(const std::string& what) {
  fail(what + ": " + std::generic_category().message(errno) + kInstead);
}

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

// The path of the file that the code of this function was loaded from.
std::string own_file() {
  std::ifstream maps("/proc/self/maps");
  const auto here = reinterpret_cast<uintptr_t>(&own_file);
  for (std::string line; std::getline(maps, line);) {
    uintptr_t start = 0, end = 0;
    const char* const last = line.data() + line.size();
    const auto [dash, e1] = std::from_chars(line.data(), last, start, 16);
    if (e1 != std::errc() || dash == last) continue;
    const auto [blank, e2] = std::from_chars(dash + 1, last, end, 16);
    if (e2 != std::errc() || here < start || here >= end) continue;
    const size_t path = line.find('/');
    return path == line.npos ? std::string() : line.substr(path);
  }
  return {};
}

// Is our constructor part of what /proc/self/exe would start? Not so in a library that another
// program has loaded, nor under a loader or an emulator that was started by name.
void check_executable() {
  char exe[4096];
  const ssize_t n = ::readlink("/proc/self/exe", exe, sizeof exe);
  if (n <= 0) fail(std::string("/proc/self/exe cannot be read") + kInstead);
  if (own_file() != std::string_view(exe, static_cast<size_t>(n))) {
    fail(std::string("weir is not part of the executable that runs") + kInstead);
  }
}

// The text as a file without a name: a child that does not read cannot keep us.
void put_into(Fd& file, std::string_view text) {
  file.reset(::memfd_create("weir-graph", MFD_CLOEXEC));
  if (file.get() < 0) fail_errno("memfd_create");
  for (size_t at = 0; at < text.size();) {
    const ssize_t n =
        ::pwrite(file.get(), text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail_errno("writing the graph");
    at += static_cast<size_t>(n);
  }
}

class Child {
 public:
  Child(const Fd& in, const Fd& out, std::vector<std::string> arguments) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failure = ::posix_spawn_file_actions_init(&actions);
    if (failure == 0) failure = ::posix_spawnattr_init(&attributes);
    const auto step = [&failure](int result) {
      if (failure == 0) failure = result;
    };
    step(::posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO));
    step(::posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO));
    step(::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0));
    step(::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1));
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    step(::posix_spawnattr_setsigdefault(&attributes, &all));
    step(::posix_spawnattr_setsigmask(&attributes, &none));
    step(::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));

    std::vector<std::string> variables = {"LC_ALL=C.UTF-8"};
    for (const char* name : {"HOME", "LD_LIBRARY_PATH", "FONTCONFIG_FILE", "FONTCONFIG_PATH",
                             "XDG_CACHE_HOME", "GVBINDIR", "ASAN_OPTIONS", "TSAN_OPTIONS"}) {
      // The program may change its environment meanwhile, as little as it may with any other
      // getenv.
      const char* const value = ::getenv(name);  // NOLINT(concurrency-mt-unsafe)
      if (value) variables.push_back(std::string(name) + "=" + value);
    }
    const auto pointers = [](std::vector<std::string>& texts) {
      std::vector<char*> all;
      all.reserve(texts.size() + 1);
      for (std::string& t : texts) all.push_back(t.data());
      all.push_back(nullptr);
      return all;
    };
    if (failure == 0) {
      failure = ::posix_spawn(&pid_, "/proc/self/exe", &actions, &attributes,
                              pointers(arguments).data(), pointers(variables).data());
    }
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
      errno = failure;
      fail_errno("starting the process that draws");
    }
  }
  // Ends it, if it has not ended.
  ~Child() {
    int status = 0;
    pid_t ended;
    while ((ended = ::waitpid(pid_, &status, WNOHANG)) < 0 && errno == EINTR) {
    }
    if (ended != 0) return;  // it has ended, whoever reaped it
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  pid_t pid_ = 0;
};

// All that the child writes. False: not within the time, or more than `most` bytes.
enum class End : uint8_t { whole, late, large };
End read_until(int fd, Clock::time_point deadline, size_t most, std::string& text) {
  std::vector<char> buffer(65536);
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return End::late;
    pollfd p{fd, POLLIN, 0};
    const int ready = ::poll(&p, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) fail_errno("poll");
    if (ready <= 0) continue;
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno("reading the picture");
    if (n == 0) return End::whole;
    if (text.size() + static_cast<size_t>(n) > most) return End::large;
    text.append(buffer.data(), static_cast<size_t>(n));
  }
}

std::string run(std::string_view dot, const char* format, const RenderLimits& limits,
                Clock::time_point deadline) {
  Fd in, out_read, out_write;
  put_into(in, dot);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe");
  out_read.reset(ends[0]);
  out_write.reset(ends[1]);
  // It ends itself a little later than we stop to wait; before it gets to its alarm, we end it.
  const milliseconds alarm = limits.time + milliseconds(500);
  const Child child(
      in, out_write,
      {layout::kName, format, std::to_string(alarm.count()), std::to_string(limits.memory >> 20)});
  out_write.reset();
  std::string text;
  switch (read_until(out_read.get(), deadline, limits.picture_bytes + kMaxHead, text)) {
    case End::late:
      fail("the layout takes longer than " + std::to_string(limits.time.count()) +
           " ms; ask for fewer nodes (nodecount)");
    case End::large:
      fail("the picture is larger than " + std::to_string(limits.picture_bytes) +
           " bytes; ask for fewer nodes (nodecount)");
    case End::whole:
      break;
  }
  const size_t line = text.find('\n');
  const bool is_ok = text.starts_with("ok "), is_error = text.starts_with("error ");
  size_t size = 0;
  if (line < kMaxHead && (is_ok || is_error)) {
    const char* const from = text.data() + text.find(' ') + 1;
    (void)std::from_chars(from, text.data() + line, size);
  }
  if (size == 0 || text.size() - line - 1 != size) {
    fail(
        std::string("the process that draws has died, for want of memory or by an error of "
                    "Graphviz; ask for fewer nodes (nodecount)"));
  }
  text.erase(0, line + 1);
  if (is_error) fail(text);
  return text;
}

}  // namespace

std::string render(std::string_view dot, Picture picture, const RenderLimits& limits) {
  layout::link();
  if (dot.size() > limits.dot_bytes) {
    fail("the graph is larger than " + std::to_string(limits.dot_bytes) +
         " bytes; ask for fewer nodes (nodecount)");
  }
  check_executable();
  const auto deadline = Clock::now() + limits.time;
  static std::binary_semaphore one_at_a_time(1);
  if (!one_at_a_time.try_acquire_until(deadline)) {
    fail("other pictures are being made; try again later");
  }
  const std::unique_ptr<void, void (*)(void*)> turn(
      &one_at_a_time, [](void* s) { static_cast<std::binary_semaphore*>(s)->release(); });
  std::string result = run(dot, picture == Picture::svg ? "svg" : "png", limits, deadline);
  if (picture == Picture::svg) {
    const size_t svg = result.find("<svg");
    if (svg == result.npos) fail("Graphviz wrote no <svg>");
    result.erase(0, svg);
  }
  return result;
}

}  // namespace weir::profiler
