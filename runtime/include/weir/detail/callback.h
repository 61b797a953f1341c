// A function that is kept until it is time to call it, type-erased.
#pragma once

#include <utility>

namespace weir::detail {

// Owns a callable without parameters; what it returns is dropped. Movable.
class callback {
 public:
  template <class F>
  explicit callback(F f)
      : self_(new F(std::move(f))),
        call_(&call<F>),
        destroy_([](void* self) { delete static_cast<F*>(self); }) {}
  callback(callback&& o) noexcept
      : self_(std::exchange(o.self_, nullptr)), call_(o.call_), destroy_(o.destroy_) {}
  callback& operator=(callback&&) = delete;
  ~callback() {
    if (self_) destroy_(self_);
  }
  void operator()() { call_(self_); }

 private:
  // Named, since it is seen on stacks.
  template <class F>
  static void call(void* self) {
    (*static_cast<F*>(self))();
  }

  void* self_;
  void (*call_)(void* self);
  void (*destroy_)(void* self);
};

}  // namespace weir::detail
