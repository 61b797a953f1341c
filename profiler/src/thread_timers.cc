#include "thread_timers.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <memory>

#include "cpu_signal.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace weir::profiler {

namespace {

// The kernel's name for the clock of a thread's processor time.
clockid_t clock_of(pid_t tid) {
  return static_cast<clockid_t>(~static_cast<unsigned>(tid) << 3 | 6);
}

std::mutex mutex;  // protects `present` and its timers
ThreadTimers* present = nullptr;

}  // namespace

ThreadTimers::ThreadTimers(int hz) : hz_(hz) {
  const std::lock_guard hold(mutex);
  present = this;
}

ThreadTimers::~ThreadTimers() {
  {
    const std::lock_guard hold(mutex);
    present = nullptr;
  }
  for (const auto& [tid, timer] : timers_) timer_delete(timer.id);
}

bool ThreadTimers::add(pid_t tid) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGPROF;
  event.sigev_value.sival_ptr = const_cast<void*>(cpu_signal::timer_mark());
  event.sigev_notify_thread_id = tid;
  Timer timer{};
  if (timer_create(clock_of(tid), &event, &timer.id) != 0) return false;
  const long period = 1'000'000'000 / hz_;
  itimerspec spec{};
  spec.it_interval = {period / 1'000'000'000, period % 1'000'000'000};
  // Not all at once: threads that were started together would be sampled together for ever.
  const long first = 1 + static_cast<long>((static_cast<unsigned long>(tid) * 2654435761U) %
                                           static_cast<unsigned long>(period));
  spec.it_value = {first / 1'000'000'000, first % 1'000'000'000};
  if (timer_settime(timer.id, 0, &spec, nullptr) != 0) {
    timer_delete(timer.id);
    return false;
  }
  timer.seen = true;
  timers_[tid] = timer;
  return true;
}

void ThreadTimers::add_self() noexcept {
  try {
    const std::lock_guard hold(mutex);
    if (!present) return;
    present->renew(gettid());
  } catch (const std::exception&) {
    // Out of memory: it has none until the next update.
  }
}

// Takes its timer for a thread that lives, and gives it one if there is none.
bool ThreadTimers::renew(pid_t tid) {
  const auto found = timers_.find(tid);
  if (found != timers_.end()) {
    // A timer whose thread is gone does not run: the number has been given to another one.
    itimerspec left{};
    timer_gettime(found->second.id, &left);
    found->second.seen = left.it_value.tv_sec != 0 || left.it_value.tv_nsec != 0;
    if (found->second.seen) return true;
    timer_delete(found->second.id);
    timers_.erase(found);
  }
  return add(tid);
}

// The lock is held for one thread at a time: a thread that is being started may wait for it.
void ThreadTimers::update() {
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir("/proc/self/task"), closedir);
  if (!tasks) return;
  {
    const std::lock_guard hold(mutex);
    for (auto& [tid, timer] : timers_) timer.seen = false;
  }
  failed_ = 0;
  while (const dirent* entry = readdir(tasks.get())) {
    const auto tid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (tid <= 0) continue;
    const std::lock_guard hold(mutex);
    if (!renew(tid)) failed_++;
  }
  const std::lock_guard hold(mutex);
  std::erase_if(timers_, [](const auto& entry) {
    if (!entry.second.seen) timer_delete(entry.second.id);
    return !entry.second.seen;
  });
}

}  // namespace weir::profiler
