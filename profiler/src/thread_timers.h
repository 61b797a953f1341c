// ThreadTimers: a timer on the processor time of each thread of the process, that sends it SIGPROF.
//
// Timers per thread are exact where the one of the process (setitimer) is not: its signal goes to
// whichever thread the kernel finds running, and those that fall due together become one. It is
// kept beside them for threads too young to have their own.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstddef>
#include <unordered_map>

namespace weir::profiler {

class ThreadTimers {
 public:
  explicit ThreadTimers(int hz) : hz_(hz) {}
  ~ThreadTimers();  // no timer is left
  ThreadTimers(const ThreadTimers&) = delete;
  ThreadTimers& operator=(const ThreadTimers&) = delete;

  // Gives timers to threads that have none, and takes back those of threads that are gone.
  void update();
  // The timer for young threads; not where the program uses it.
  void start_process_timer();

  size_t failed() const { return failed_; }  // threads that got none: there are too many timers

 private:
  struct Timer {
    timer_t id;
    bool seen;
  };
  bool add(pid_t tid);

  const int hz_;
  std::unordered_map<pid_t, Timer> timers_;
  size_t failed_ = 0;
  bool process_timer_ = false;
};

}  // namespace weir::profiler
