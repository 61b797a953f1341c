#include "restore.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace weir::tools::top::restore {

namespace {

constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

// Written before `armed`, read after it.
struct Prepared {
  int terminal = -1;
  termios modes{};
  std::array<char, 512> bytes{};
  size_t size = 0;
};
Prepared g_prepared;
std::atomic<bool> g_armed{false};

// The guard learns from bytes in a pipe whether there is something to do: the last one before the
// end of the pipe, which is the end of this process, tells.
constexpr char kArmed = 'a', kDisarmed = 'd';
int g_to_guard = -1;
pid_t g_guard = -1;

alignas(16) char g_signal_stack[65536];  // for a fault that is the stack's

void put(int fd, const char* bytes, size_t size) noexcept {
  while (size > 0) {
    const ssize_t n = write(fd, bytes, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes += n;
    size -= static_cast<size_t>(n);
  }
}

void tell_guard(char what) noexcept {
  if (g_to_guard >= 0) put(g_to_guard, &what, 1);
}

void on_fatal(int signal) { die_of(signal); }

// The child. Only what is safe after a fork of many threads. Signals are blocked, so that those
// which are sent to all of the terminal's processes do not end it before its time.
[[noreturn]] void guard(int pipe_end) noexcept {
  termios ours{};
  const int terminal = g_prepared.terminal;
  if (dup2(pipe_end, STDIN_FILENO) < 0 || dup2(terminal, STDOUT_FILENO) < 0) _exit(1);
  (void)close_range(STDERR_FILENO, ~0U, 0);
  (void)prctl(PR_SET_NAME, "weir-top-guard");
  char last = kDisarmed, now = 0;
  for (;;) {
    const ssize_t n = read(STDIN_FILENO, &now, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    last = now;
    // What the terminal's modes are while the screen is up: a shell that has set others since is
    // left alone.
    if (last == kArmed) (void)tcgetattr(STDOUT_FILENO, &ours);
  }
  if (last == kArmed) {
    termios present{};
    const bool is_ours = tcgetattr(STDOUT_FILENO, &present) == 0 &&
                         present.c_lflag == ours.c_lflag && present.c_iflag == ours.c_iflag &&
                         present.c_oflag == ours.c_oflag;
    put(STDOUT_FILENO, g_prepared.bytes.data(), g_prepared.size);
    if (is_ours) (void)tcsetattr(STDOUT_FILENO, TCSANOW, &g_prepared.modes);
  }
  _exit(0);
}

void start_guard() noexcept {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  sigset_t all, former;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &former);
  g_guard = fork();
  if (g_guard == 0) {
    close(ends[1]);
    guard(ends[0]);
  }
  sigprocmask(SIG_SETMASK, &former, nullptr);
  close(ends[0]);
  g_to_guard = ends[1];
  if (g_guard < 0) {
    close(g_to_guard);
    g_to_guard = -1;
  }
}

}  // namespace

void arm(int terminal, const termios& modes, const std::string& bytes) {
  g_prepared.terminal = terminal;
  g_prepared.modes = modes;
  g_prepared.size = std::min(bytes.size(), g_prepared.bytes.size());
  std::memcpy(g_prepared.bytes.data(), bytes.data(), g_prepared.size);
  start_guard();
  stack_t stack{};
  stack.ss_sp = g_signal_stack;
  stack.ss_size = sizeof g_signal_stack;
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = on_fatal;
  action.sa_flags = SA_ONSTACK;
  sigfillset(&action.sa_mask);
  for (const int signal : kFatal) sigaction(signal, &action, nullptr);
  rearm();
}

void disarm() noexcept {
  g_armed.store(false);
  tell_guard(kDisarmed);
}

void rearm() noexcept {
  g_armed.store(true);
  tell_guard(kArmed);
}

void end() noexcept {
  disarm();
  for (const int signal : kFatal) ::signal(signal, SIG_DFL);
  if (g_to_guard >= 0) close(g_to_guard);
  g_to_guard = -1;
  if (g_guard > 0) {
    while (waitpid(g_guard, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  g_guard = -1;
}

void restore_now() noexcept {
  if (!g_armed.exchange(false)) return;
  const int saved = errno;
  tell_guard(kDisarmed);
  put(g_prepared.terminal, g_prepared.bytes.data(), g_prepared.size);
  (void)tcsetattr(g_prepared.terminal, TCSANOW, &g_prepared.modes);
  errno = saved;
}

void die_of(int signal) noexcept {
  restore_now();
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  raise(signal);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
}

}  // namespace weir::tools::top::restore
