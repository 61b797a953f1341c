#include "feed.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::tools::top {

using std::chrono::nanoseconds;

namespace {

// The target is busy with us for one part of so many at most.
constexpr int kShare = 10;
constexpr nanoseconds kLongestBackOff = std::chrono::seconds(30);

}  // namespace

int64_t steady_now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<nanoseconds>(now).count();
}

nanoseconds pause_after(nanoseconds interval, nanoseconds took) {
  return std::max(interval, took * (kShare - 1));
}

nanoseconds pause_after_failures(nanoseconds interval, unsigned failures) {
  const nanoseconds most = std::max(interval, kLongestBackOff);
  nanoseconds pause = interval;
  for (unsigned i = 1; i < failures && pause < most; ++i) pause *= 2;
  return std::min(pause, most);
}

struct Feed::Shared {
  Take take;
  nanoseconds interval{};
  std::function<void()> changed;

  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false, now = false;
  unsigned failures = 0;
  FeedStatus status;
  std::shared_ptr<const Sample> latest;

  void run();
  void take_one(std::unique_lock<std::mutex>& lock);
};

void Feed::Shared::take_one(std::unique_lock<std::mutex>& lock) {
  const int64_t began = steady_now_ns();
  status.asking = true;
  status.asking_since_ns = began;
  lock.unlock();
  std::shared_ptr<const Sample> sample;
  std::string failure;
  try {
    sample = std::make_shared<const Sample>(take(began));
  } catch (const std::exception& e) {
    failure = *e.what() == '\0' ? "failed" : e.what();
  }
  lock.lock();
  const int64_t ended_at = steady_now_ns();
  status.asking = false;
  status.failure = failure;
  nanoseconds pause;
  if (sample) {
    latest = std::move(sample);
    status.last_good_ns = ended_at;
    failures = 0;
    pause = pause_after(interval, nanoseconds(ended_at - began));
  } else {
    pause = pause_after_failures(interval, ++failures);
  }
  status.pause_ns = pause.count();
  status.next_ns = ended_at + status.pause_ns;
}

void Feed::Shared::run() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    take_one(lock);
    if (stopping) break;
    lock.unlock();
    changed();
    lock.lock();
    wake.wait_for(lock, nanoseconds(status.pause_ns), [this] { return stopping || now; });
    now = false;
  }
}

Feed::Feed(Take take, nanoseconds interval, std::function<void()> changed)
    : shared_(std::make_shared<Shared>()) {
  shared_->take = std::move(take);
  shared_->interval = interval;
  shared_->changed = std::move(changed);
  // Signals are for the thread that has the screen.
  sigset_t all, former;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  std::thread([shared = shared_] { shared->run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &former, nullptr);
}

Feed::~Feed() { stop(); }

std::shared_ptr<const Sample> Feed::latest() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->latest;
}

FeedStatus Feed::status() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->status;
}

void Feed::ask_now() {
  const std::lock_guard lock(shared_->mutex);
  shared_->now = true;
  shared_->wake.notify_all();
}

bool Feed::stop() {
  const std::lock_guard lock(shared_->mutex);
  shared_->stopping = true;
  shared_->wake.notify_all();
  return !shared_->status.asking;
}

}  // namespace weir::tools::top
