// Runs a command (check_run.h).
#include "check_run.h"

#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "failure.h"

namespace weir::tools {

namespace {

constexpr std::array kForwarded = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                   SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE};

class SpawnAttributes {
 public:
  explicit SpawnAttributes(const sigset_t& mask) {
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigmask(&attributes_, &mask);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnAttributes() { posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

std::vector<std::string> environment(
    const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> all;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view text = *at;
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::none_of(variables, [name](const auto& v) { return v.first == name; })) {
      all.emplace_back(text);
    }
  }
  for (const auto& [name, value] : variables) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

bool has_ended(pid_t pid, Ending& ending) {
  int status = 0;
  pid_t ended = 0;
  while ((ended = waitpid(pid, &status, WNOHANG)) < 0 && errno == EINTR) {
  }
  if (ended != pid) return false;
  ending.status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return true;
}

}  // namespace

std::string Ending::text() const {
  if (signal == 0) return "exited with status " + std::to_string(status);
  const char* const name = sigabbrev_np(signal);
  return "was killed by " + (name ? "SIG" + std::string(name) : "signal " + std::to_string(signal));
}

HeldSignals::HeldSignals() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGCHLD);
  for (const int signal : kForwarded) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) {
      sigaddset(&set_, signal);
    }
  }
  // Who is told to ignore SIGCHLD has no children to wait for.
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &by_default, &child_action_);
  sigprocmask(SIG_BLOCK, &set_, &before_);
}

HeldSignals::~HeldSignals() {
  const timespec at_once{};
  while (sigtimedwait(&set_, nullptr, &at_once) > 0) {
  }
  sigaction(SIGCHLD, &child_action_, nullptr);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

siginfo_t HeldSignals::wait() const {
  siginfo_t info{};
  while (sigwaitinfo(&set_, &info) < 0 && errno == EINTR) {
  }
  return info;
}

Ending run_child(const HeldSignals& signals, const std::vector<std::string>& command,
                 const std::vector<std::pair<std::string, std::string>>& variables) {
  const std::vector<std::string> env = environment(variables);
  const SpawnAttributes attributes(signals.before());
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, command[0].c_str(), nullptr, attributes.get(),
                                 pointers(command).data(), pointers(env).data());
  if (error == ENOENT) throw Failure(command[0], "no such command");
  if (error != 0) throw Failure(command[0], strerror(error));
  Ending ending;
  while (!has_ended(pid, ending)) {
    const siginfo_t info = signals.wait();
    // The kernel's own come from the terminal, and went to the command as well.
    if (info.si_signo != SIGCHLD && info.si_code <= 0) kill(pid, info.si_signo);
  }
  return ending;
}

}  // namespace weir::tools
