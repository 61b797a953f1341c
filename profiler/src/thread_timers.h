// ThreadTimers: a timer on the processor time of each thread of the process, that sends it SIGPROF.
//
// Not the one timer of the process (setitimer): its signal goes to whichever thread the kernel
// picks, be it asleep, and signals that fall due together become one. A thread of the runtime gets
// its timer before its first goroutine; any other one that is younger than the last update has none
// yet.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstddef>
#include <unordered_map>

namespace weir::profiler {

// One at a time in the process.
class ThreadTimers {
 public:
  explicit ThreadTimers(int hz);
  ~ThreadTimers();  // no timer is left
  ThreadTimers(const ThreadTimers&) = delete;
  ThreadTimers& operator=(const ThreadTimers&) = delete;

  // Gives timers to threads that have none, and takes back those of threads that are gone.
  void update();
  size_t failed() const { return failed_; }  // threads that got none: there are too many timers

  // The runtime's hook: gives the calling thread its timer, if there are timers just now.
  static void add_self() noexcept;

 private:
  struct Timer {
    timer_t id;
    bool seen;
  };
  bool add(pid_t tid);
  bool renew(pid_t tid);

  const int hz_;
  std::unordered_map<pid_t, Timer> timers_;
  size_t failed_ = 0;
};

}  // namespace weir::profiler
