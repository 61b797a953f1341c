// ProcessStop: all threads of a process stand still for as long as one of these lives, at most.
//
// The threads are seized, not attached to: no signal is sent, whoever waits in the kernel goes on
// waiting afterwards, and when this process dies the kernel lets them go. Signals that arrive
// meanwhile are handed on at the end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "image.h"

namespace weir::profiler::post_mortem {

class ProcessStop {
 public:
  // Waits for all threads to stop, at most until the deadline (steady clock, ns). Throws
  // profiler::error where none may be stopped.
  ProcessStop(pid_t pid, int64_t deadline_ns);
  ~ProcessStop();
  ProcessStop(const ProcessStop&) = delete;
  ProcessStop& operator=(const ProcessStop&) = delete;

  // Lets all go; returns when they went on (steady clock, ns). What has not stopped until now is
  // waited for afterwards, for a while, to be let go, too.
  int64_t end();

  // Those that have stopped; tids are the process's own (of its pid namespace).
  const std::vector<Thread>& threads() const { return threads_; }

 private:
  struct Seized {
    pid_t tid;
    bool stopped = false, gone = false;
    int signal = 0;  // that it was about to get
  };

  bool seize_new_ones();
  void await(int64_t deadline_ns);
  bool let_go();
  void read_registers();

  const pid_t pid_;
  std::vector<Seized> seized_;
  std::vector<Thread> threads_;
};

int64_t steady_ns();

}  // namespace weir::profiler::post_mortem
