// TaskGroup (<weir/task_group.h>).

#include <weir/panic.h>
#include <weir/task_group.h>

#include <string>

namespace weir {

TaskGroup::~TaskGroup() {
  cancel_();
  tasks_.wait();
}

void TaskGroup::set_limit(size_t n) {
  if (size_t active = active_.load(std::memory_order_relaxed)) {
    throw panic_error("task group: modify limit while " + std::to_string(active) +
                      " goroutines in the group are still active");
  }
  limit_.reset();
  if (n > 0) limit_.emplace(n);
}

void TaskGroup::fail(const std::exception_ptr& e) {
  if (failed_.exchange(true)) return;
  first_ = e;
  cancel_(e);
}

void TaskGroup::leave() {
  if (limit_) limit_->release();
  active_.fetch_sub(1, std::memory_order_relaxed);
  tasks_.done();
}

void TaskGroup::finish() {
  cancel_();
  if (first_) std::rethrow_exception(first_);
}

}  // namespace weir
