// Kernels: small programs, each of which blocks in one known way, as the studies of concurrency
// bugs in Go programs describe them; and healthy ones that have the same shapes. They are what the
// detectors are measured by: a kernel is never bent to what a detector can see.
//
// `run` does the buggy or healthy thing once, as a service does for one request: it is called in a
// goroutine of its own, again and again, and may block. All goroutines of a kernel that never go on
// are in functions that no other kernel has, so that findings can be told apart by their place.
#pragma once

#include <weir/profiler/finding.h>

#include <span>
#include <string_view>
#include <vector>

namespace kernels {

using weir::profiler::Certainty, weir::profiler::Kind;

// Goroutines that never go on.
struct Stuck {
  Kind kind;
  std::string_view function;  // is in the name of the function in which they are
  // The least that must be said of them. Below likely where healthy programs look the same for as
  // long as these do.
  Certainty at_least = Certainty::likely;
};

struct Kernel {
  std::string_view name;
  std::string_view what;  // the bug, or the healthy habit; one line
  void (*run)(int round);
  // The first must be found; the others are stuck as well, by it or with it. Empty: healthy.
  std::vector<Stuck> stuck = {};
  int spinners = 0;  // how many of its goroutines never stop running
  // Known to be missed now and then: it is told, and counts for the recall, but is no failure.
  bool hard = false;
};

struct Family {
  std::string_view name;
  std::vector<Kernel> kernels;
};

// Each in a file of its own: kernels_<family>.cc.
Family send();
Family receive();
Family select();
Family mutex();
Family rwmutex();
Family wait();  // WaitGroup, Cond, Semaphore, TaskGroup
Family context();
Family mixed();
Family time();
Family io();
Family healthy_channels();
Family healthy_sync();
Family healthy_services();
Family tempting();  // healthy ones that look as if something could be proved, or grows

}  // namespace kernels
