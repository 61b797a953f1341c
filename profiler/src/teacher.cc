#include "teacher.h"

#include <weir/introspect.h>

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "rules.h"

namespace weir::profiler::teacher {

namespace {

constexpr std::chrono::milliseconds kPatience{100};

class Teacher {
 public:
  Teacher() {
    // It takes part in nothing that happens to the program.
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    try {
      std::thread([this] { run(); }).detach();
      introspect::add_helper_thread();
    } catch (const std::exception&) {
      late_ = true;  // no thread to be had: nobody waits
    }
    pthread_sigmask(SIG_SETMASK, &former, nullptr);
  }

  bool learn(uintptr_t pc) {
    std::unique_lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    // One at a time; the others find, as a rule, that theirs was the same question.
    while (question_ != 0) {
      if (late_ || answered_.wait_until(lock, deadline) == std::cv_status::timeout) return false;
      if (rules::find(pc).kind() != Rule::kUnknown) return true;
    }
    if (late_) return false;
    question_ = pc;
    asked_.notify_one();
    const auto done = [&] { return question_ != pc; };
    if (!answered_.wait_until(lock, deadline, done)) late_ = true;
    return rules::find(pc).kind() != Rule::kUnknown;
  }

 private:
  void run() {
    pthread_setname_np(pthread_self(), "weir-profiler");
    // The first rule is the dear one: the objects' tables are read for it.
    rules::learn(reinterpret_cast<uintptr_t>(__builtin_return_address(0)) - 1);
    std::unique_lock lock(mutex_);
    for (;;) {
      asked_.wait(lock, [this] { return question_ != 0; });
      const uintptr_t pc = question_;
      lock.unlock();
      try {
        rules::learn(pc);
      } catch (const std::exception&) {
        // Out of memory: it stays unknown.
      }
      lock.lock();
      question_ = 0;
      late_ = false;
      answered_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable asked_, answered_;
  uintptr_t question_ = 0;  // a program counter; 0: none
  bool late_ = false;       // somebody has given up waiting for the present answer
};

Teacher& teacher() {
  static auto* t = new Teacher;  // never destroyed: its thread lives as long as the process
  return *t;
}

}  // namespace

void start() { teacher(); }

bool learn(uintptr_t pc) noexcept {
  try {
    return teacher().learn(pc);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace weir::profiler::teacher
