// What the groups of boost.fiber share: one or two threads, and stacks like weir's.
#pragma once

#include <sys/mman.h>

#include <boost/fiber/all.hpp>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

namespace fibers = boost::fibers;

// Runs f with one "processor", which is this thread with the default round_robin scheduler, or with
// two: this thread and a helper that steal work from each other.
template <class F>
void with_procs(int procs, F f) {
  if (procs == 1) {
    f();
    return;
  }
  fibers::mutex mutex;
  fibers::condition_variable_any ended;
  bool end = false;
  std::thread helper([&] {
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(2);
    std::unique_lock hold(mutex);
    ended.wait(hold, [&] { return end; });
  });
  fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(2);
  f();
  {
    std::unique_lock hold(mutex);
    end = true;
  }
  ended.notify_all();
  helper.join();
}

// Stacks of 64 KiB, as weir's, one after the other in one mapping; free ones are used again first.
class SlabStacks {
 public:
  using traits_type = boost::context::stack_traits;
  static constexpr size_t kSize = 64 << 10;

  boost::context::stack_context allocate() {
    State& s = state();
    std::scoped_lock hold(s.lock);
    char* top;
    if (!s.free.empty()) {
      top = s.free.back();
      s.free.pop_back();
    } else {
      if (s.used == kChunk) {
        void* at = mmap(nullptr, kChunk * kSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) throw std::bad_alloc();
        madvise(at, kChunk * kSize, MADV_NOHUGEPAGE);
        s.chunk = static_cast<char*>(at);
        s.used = 0;
      }
      top = s.chunk + kSize * ++s.used;
    }
    boost::context::stack_context context;
    context.size = kSize;
    context.sp = top;
    return context;
  }
  void deallocate(boost::context::stack_context& context) noexcept {
    State& s = state();
    std::scoped_lock hold(s.lock);
    s.free.push_back(static_cast<char*>(context.sp));
  }

 private:
  static constexpr size_t kChunk = 4096;  // stacks of a mapping
  struct State {
    std::mutex lock;
    char* chunk = nullptr;
    size_t used = kChunk;
    std::vector<char*> free;
  };
  static State& state() {
    static State s;
    return s;
  }
};

// A fiber that runs f, on a stack like weir's, once its turn comes.
template <class F>
fibers::fiber start(F f) {
  return fibers::fiber(fibers::launch::post, std::allocator_arg, SlabStacks(), std::move(f));
}

}  // namespace bench
