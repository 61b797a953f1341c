#include "process_stop.h"

#include <dirent.h>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>

#include <weir/profiler/error.h>

#include "process_image.h"

namespace weir::profiler::post_mortem {

namespace {

constexpr int64_t kLateNs = 1'000'000'000;
constexpr int kMaxRounds = 20;  // of looking for threads that were started meanwhile

std::vector<pid_t> tasks_of(pid_t pid) {
  std::vector<pid_t> tids;
  DIR* dir = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (!dir) return tids;
  while (const dirent* entry = readdir(dir)) {
    if (const int tid = std::atoi(entry->d_name); tid > 0) tids.push_back(tid);
  }
  closedir(dir);
  return tids;
}

// As the process itself knows the thread: the last of the numbers, from our namespace inwards.
int own_tid(pid_t pid, pid_t tid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (!line.starts_with("NSpid:")) continue;
    const size_t last = line.find_last_of(" \t");
    if (const int own = std::atoi(line.c_str() + last + 1); own > 0) return own;
  }
  return tid;
}

}  // namespace

int64_t steady_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

ProcessStop::ProcessStop(pid_t pid, int64_t deadline_ns) : pid_(pid) {
  try {
    for (int round = 0; round < kMaxRounds && seize_new_ones(); ++round) {
      await(deadline_ns);
      if (steady_ns() >= deadline_ns) break;
    }
    read_registers();
  } catch (...) {
    let_go();
    throw;
  }
}

ProcessStop::~ProcessStop() { end(); }

int64_t ProcessStop::end() {
  let_go();
  const int64_t ended = steady_ns();
  while (!let_go() && steady_ns() - ended < kLateNs) {
    const timespec nap = {0, 1'000'000};
    nanosleep(&nap, nullptr);
  }
  return ended;
}

// True: there were threads that are not seized yet.
bool ProcessStop::seize_new_ones() {
  bool any = false;
  for (const pid_t tid : tasks_of(pid_)) {
    if (std::any_of(seized_.begin(), seized_.end(),
                    [&](const Seized& s) { return s.tid == tid; })) {
      continue;
    }
    if (ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) {
      if (errno == ESRCH) continue;  // it has ended
      throw error(why_unreadable(pid_, errno));
    }
    seized_.push_back({tid});
    ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    any = true;
  }
  if (seized_.empty()) throw error("the process has ended");
  return any;
}

void ProcessStop::await(int64_t deadline_ns) {
  for (;;) {
    bool all = true;
    for (Seized& s : seized_) {
      if (s.stopped || s.gone) continue;
      int status = 0;
      const pid_t got = waitpid(s.tid, &status, __WALL | WNOHANG);
      if (got == s.tid && WIFSTOPPED(status)) {
        s.stopped = true;
        // Else it was just about to get a signal.
        if (status >> 16 != PTRACE_EVENT_STOP) s.signal = WSTOPSIG(status);
      } else if (got == s.tid || (got < 0 && errno != EINTR)) {
        s.gone = true;
      } else {
        all = false;
      }
    }
    if (all || steady_ns() >= deadline_ns) return;
    const timespec nap = {0, 50'000};
    nanosleep(&nap, nullptr);
  }
}

void ProcessStop::read_registers() {
  for (const Seized& s : seized_) {
    if (!s.stopped) continue;
    user_regs_struct user{};
    iovec to = {&user, sizeof user};
    if (ptrace(PTRACE_GETREGSET, s.tid, reinterpret_cast<void*>(NT_PRSTATUS), &to) != 0 ||
        to.iov_len != sizeof user) {
      continue;
    }
#if defined(__x86_64__)
    threads_.push_back({own_tid(pid_, s.tid), {user.rip, user.rsp, user.rbp}});
#elif defined(__aarch64__)
    threads_.push_back({own_tid(pid_, s.tid), {user.pc, user.sp, user.regs[29]}});
#endif
  }
}

// False: some have not stopped yet. Only one that has stopped can be let go; the last ones the
// kernel lets go when this thread ends.
bool ProcessStop::let_go() {
  bool all = true;
  for (Seized& s : seized_) {
    if (s.gone) continue;
    if (!s.stopped) {
      int status = 0;
      const pid_t got = waitpid(s.tid, &status, __WALL | WNOHANG);
      if (got == 0) {
        all = false;
        continue;
      }
      s.gone = got != s.tid || !WIFSTOPPED(status);
      if (s.gone) continue;
      if (status >> 16 != PTRACE_EVENT_STOP) s.signal = WSTOPSIG(status);
    }
    ptrace(PTRACE_DETACH, s.tid, nullptr, reinterpret_cast<void*>(static_cast<intptr_t>(s.signal)));
    s.gone = true;
  }
  return all;
}

}  // namespace weir::profiler::post_mortem
