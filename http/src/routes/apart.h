// Runs what takes much memory on one thread of its own, one after the other. The allocator keeps
// what a thread has freed for that thread: here it is kept once, and used again by the next; the
// workers would each keep as much.
//
// Thread-safe. It lives until the process ends: who asks may outlive everything else.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::http::routes {

class Apart {
 public:
  Apart() {
    std::thread([this] { serve(); }).detach();
  }
  Apart(const Apart&) = delete;
  Apart& operator=(const Apart&) = delete;

  // What `f` returns or throws. Blocks the calling thread until then.
  template <class F>
  auto run(F f) {
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto result = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      waiting_.emplace_back([&task] { task(); });
    }
    changed_.notify_one();
    return result.get();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return !waiting_.empty(); });
      const std::function<void()> next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace weir::http::routes
