// TaskGroup: goroutines that work on parts of one task and fail together. Go:
// golang.org/x/sync/errgroup.
//
//   weir::TaskGroup g(ctx);
//   for (auto& url : urls) g.go([&](const weir::Context& ctx) { fetch(ctx, url); });
//   g.wait();   // throws the first exception, by which the others were told to stop
#pragma once

#include <cxxabi.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <weir/context.h>
#include <weir/detail/pc.h>
#include <weir/go.h>
#include <weir/semaphore.h>
#include <weir/wait_group.h>

namespace weir {

// The first exception that leaves a task cancels the group's context, with that exception as its
// cause, and is kept for wait. A task that ends by goexit has not failed. No task outlives its
// group: the destructor waits for all. Goroutines and plain threads; tasks may add tasks.
class TaskGroup {
 public:
  // The group's context is a child of `parent`; without one, of the background. Go: WithContext.
  [[gnu::always_inline]] TaskGroup() : TaskGroup(Context(), detail::current_pc()) {}
  [[gnu::always_inline]] explicit TaskGroup(const Context& parent)
      : TaskGroup(parent, detail::current_pc()) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  // Cancels the group's context and waits for all tasks ("sync.WaitGroup.Wait"). An exception that
  // nobody asked for by wait is dropped.
  ~TaskGroup();

  // Done when a task has failed, wait has returned, or the parent is done.
  const Context& context() const noexcept { return ctx_; }

  // At most n tasks at once from here on; 0: no limit, as at first. Throws panic_error while tasks
  // are running. Go: SetLimit.
  void set_limit(size_t n);

  // Runs f(context()) or f() in a goroutine; what it returns is dropped. Blocks while as many tasks
  // as the limit allows are running ("semacquire"). Throws what weir::go throws. Go: Go.
  template <class F>
  [[gnu::always_inline]] void go(F f) {
    if (limit_) limit_->acquire();
    start(std::move(f));
    detail::keep_frame();
  }
  // Never blocks: false where go would. Go: TryGo.
  template <class F>
  [[nodiscard, gnu::always_inline]] bool try_go(F f) {
    if (limit_ && !limit_->try_acquire()) return false;
    start(std::move(f));
    return true;
  }

  // Blocks until all tasks have ended ("sync.WaitGroup.Wait"), cancels the context, and throws the
  // first exception that left a task, if any, again at each call. Go: Wait.
  [[gnu::always_inline]] void wait() {
    tasks_.wait();
    finish();
    detail::keep_frame();
  }
  // The same, until ctx, which may be any context, is done at the latest. False: ctx was done
  // first, or before; the tasks go on.
  [[nodiscard, gnu::always_inline]] bool wait(const Context& ctx) {
    bool done = tasks_.wait(ctx);
    if (done) finish();
    detail::keep_frame();
    return done;
  }

 private:
  // What is to be done when a task has ended, however it did. The group may be gone after that.
  struct Leave {
    void operator()(TaskGroup* group) const { group->leave(); }
  };
  // What the goroutine runs. Members end in reverse: all that f holds is gone before the group may
  // be, what a move from it has left behind, too.
  template <class F>
  struct Task {
    std::unique_ptr<TaskGroup, Leave> group;
    F f;

    void operator()() {
      try {
        if constexpr (std::is_invocable_v<F&, const Context&>) {
          f(std::as_const(group->ctx_));
        } else {
          f();
        }
      } catch (abi::__forced_unwind&) {
        throw;
      } catch (...) {
        group->fail(std::current_exception());
      }
    }
  };

  TaskGroup(const Context& parent, const void* pc)
      : ctx_(rt::new_cancel_context(parent.core(), introspect::ContextKind::group, pc)),
        cancel_(ctx_.core()) {}

  template <class F>
  [[gnu::always_inline]] void start(F f) {
    static_assert(std::is_invocable_v<F&, const Context&> || std::is_invocable_v<F&>,
                  "TaskGroup: a task takes a const Context& or nothing");
    tasks_.add(1);
    active_.fetch_add(1, std::memory_order_relaxed);
    weir::go(Task<F>{std::unique_ptr<TaskGroup, Leave>(this), std::move(f)});
  }
  void fail(const std::exception_ptr& e);
  void leave();
  void finish();

  Context ctx_;
  CancelCauseFunc cancel_;
  WaitGroup tasks_;
  std::optional<Semaphore> limit_;
  std::atomic<size_t> active_{0};
  std::atomic<bool> failed_{false};
  std::exception_ptr first_;  // set by who set failed_; read when all tasks have ended
};

}  // namespace weir
