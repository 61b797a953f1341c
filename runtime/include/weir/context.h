// Context: tells a tree of goroutines that their work is no longer wanted, and carries values of a
// request. Go: package context.
//
//   auto [ctx, cancel] = weir::with_timeout(request_ctx, 2s);
//   std::optional<Row> row = rows.recv(ctx);   // nullopt: closed, or cancelled
//   if (ctx.err()) return ctx.err();           // "context deadline exceeded"
//   cancel();                                  // the children of ctx are cancelled too
//
// A Context and a CancelFunc are shared handles, of one pointer: copies name the same context. As
// with std::shared_ptr, one handle must not be assigned while another goroutine uses it; different
// handles may be used at the same time, from goroutines and plain threads.
//
// Whoever makes a context that can be cancelled must call its CancelFunc in the end: else its
// goroutines may wait for ever. introspect::for_each_context shows those for which nobody can do
// that any more. Deadlines are kept by the scheduler: none passes before weir::run or after it.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <weir/chan.h>
#include <weir/detail/callback.h>
#include <weir/detail/duration.h>
#include <weir/detail/pc.h>
#include <weir/introspect.h>

namespace weir {

// Why a context is done. Values of the error category "context"; they compare equal to
// std::errc::operation_canceled and std::errc::timed_out.
enum class ContextError {
  canceled = 1,           // "context canceled". Go: context.Canceled
  deadline_exceeded = 2,  // "context deadline exceeded". Go: context.DeadlineExceeded
};
const std::error_category& context_category() noexcept;
inline std::error_code make_error_code(ContextError e) noexcept {
  return {static_cast<int>(e), context_category()};
}

}  // namespace weir

template <>
struct std::is_error_code_enum<weir::ContextError> : std::true_type {};

namespace weir {

class Context;

namespace rt {

struct context;
struct context_callback;

void context_ref(context* c) noexcept;
void context_unref(context* c) noexcept;
hchan* context_done(context* c);  // a new reference, or null: never
int context_err(const context* c) noexcept;
std::exception_ptr context_cause(const context* c);
bool context_deadline(const context* c, int64_t* when) noexcept;
const void* context_value(const context* c, const void* key) noexcept;

// New contexts, with a reference, and, where they can be cancelled, with a second one, for a handle
// to their cancel function. `parent` may be null: the background.
context* new_cancel_context(context* parent, introspect::ContextKind kind, const void* pc);
context* new_deadline_context(context* parent, int64_t when, const void* pc);
context* new_timeout_context(context* parent, int64_t ns, const void* pc);
context* new_value_context(context* parent, const void* key, std::shared_ptr<const void> value);
context* new_detached_context(context* parent);

void cancel_handle_ref(context* c) noexcept;
void cancel_handle_unref(context* c) noexcept;
void cancel_context_for(context* c, const std::exception_ptr& cause);

context_callback* new_callback(context* c, detail::callback f, const void* pc);
void callback_ref(context_callback* f) noexcept;
void callback_unref(context_callback* f) noexcept;
bool stop_callback(context_callback* f);

}  // namespace rt

// The key of a value of type T in a context: an object, whose identity counts, so that nobody else
// can take the same key.
//   inline weir::ContextKey<std::string> kUser;
template <class T>
class ContextKey {
 public:
  constexpr ContextKey() noexcept = default;
  ContextKey(const ContextKey&) = delete;
  ContextKey& operator=(const ContextKey&) = delete;
};

// A default-made Context is the background: never cancelled, no deadline, no values. Go:
// context.Context, context.Background.
class Context {
 public:
  // What done() would send, and never does.
  struct Done {};

  Context() noexcept = default;
  explicit Context(rt::context* adopt) noexcept : c_(adopt) {}
  Context(const Context& o) noexcept : c_(o.c_) {
    if (c_) rt::context_ref(c_);
  }
  Context(Context&& o) noexcept : c_(std::exchange(o.c_, nullptr)) {}
  Context& operator=(Context o) noexcept {
    std::swap(c_, o.c_);
    return *this;
  }
  ~Context() {
    if (c_) rt::context_unref(c_);
  }

  // A channel that is closed when the context is cancelled or its deadline passes, for select; a
  // nil channel where neither can happen. Keep the context for as long as you wait: one that no
  // handle refers to is freed at once, and does not close what done() once gave. Go: Done.
  recv_chan<Done> done() const { return recv_chan<Done>(rt::chan_ref(rt::context_done(c_))); }

  // Why it is done: a ContextError; a default std::error_code while it is not. Never blocks. Go:
  // Err.
  std::error_code err() const noexcept {
    int e = rt::context_err(c_);
    return e ? make_error_code(static_cast<ContextError>(e)) : std::error_code();
  }

  // The exception that its CancelFunc, or that of the ancestor by which it was cancelled, was
  // called with; else a std::system_error with err(). Null while it is not done. Go: context.Cause.
  std::exception_ptr cause() const { return rt::context_cause(c_); }

  // When it will be cancelled at the latest. Go: Deadline.
  std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept {
    int64_t when;
    if (!rt::context_deadline(c_, &when)) return std::nullopt;
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(when));
  }

  // The value that this context, or the nearest ancestor that has one, was given for the key; null:
  // none. It lives as long as the context. Go: Value.
  template <class T>
  const T* value(const ContextKey<T>& key) const noexcept {
    return static_cast<const T*>(rt::context_value(c_, &key));
  }

  // Same context?
  friend bool operator==(const Context& a, const Context& b) noexcept { return a.c_ == b.c_; }

  // The untyped context, for the runtime.
  rt::context* core() const noexcept { return c_; }

 private:
  rt::context* c_ = nullptr;  // null: the background
};

namespace detail {

// A counted handle to a context's cancel function.
class cancel_handle {
 public:
  explicit cancel_handle(rt::context* adopt) noexcept : c_(adopt) {}
  cancel_handle(const cancel_handle& o) noexcept : c_(o.c_) {
    if (c_) rt::cancel_handle_ref(c_);
  }
  cancel_handle(cancel_handle&& o) noexcept : c_(std::exchange(o.c_, nullptr)) {}
  cancel_handle& operator=(cancel_handle o) noexcept {
    std::swap(c_, o.c_);
    return *this;
  }
  ~cancel_handle() {
    if (c_) rt::cancel_handle_unref(c_);
  }

 protected:
  void cancel(const std::exception_ptr& cause) const {
    if (c_) rt::cancel_context_for(c_, cause);
  }

 private:
  rt::context* c_;
};

}  // namespace detail

// Cancels a context and all that were derived from it; all but the first call do nothing. Never
// blocks. When it returns, all of them are done, and those who wait for them are ready to run. Go:
// context.CancelFunc.
class CancelFunc : public detail::cancel_handle {
 public:
  using cancel_handle::cancel_handle;
  void operator()() const { cancel(nullptr); }
};

// The same, giving a reason for Context::cause. Go: context.CancelCauseFunc.
class CancelCauseFunc : public detail::cancel_handle {
 public:
  using cancel_handle::cancel_handle;
  void operator()(const std::exception_ptr& cause = nullptr) const { cancel(cause); }
};

// The root of all contexts. Go: context.Background.
inline Context background() noexcept { return {}; }

namespace detail {
template <class Cancel>
std::pair<Context, Cancel> cancellable(rt::context* c) {
  return {Context(c), Cancel(c)};
}
}  // namespace detail

// A child of parent that can be cancelled for itself. Go: context.WithCancel.
[[nodiscard, gnu::always_inline]] inline std::pair<Context, CancelFunc> with_cancel(
    const Context& parent) {
  return detail::cancellable<CancelFunc>(
      rt::new_cancel_context(parent.core(), introspect::ContextKind::cancel, detail::current_pc()));
}
// Go: context.WithCancelCause.
[[nodiscard, gnu::always_inline]] inline std::pair<Context, CancelCauseFunc> with_cancel_cause(
    const Context& parent) {
  return detail::cancellable<CancelCauseFunc>(
      rt::new_cancel_context(parent.core(), introspect::ContextKind::cancel, detail::current_pc()));
}
// A child that is cancelled at t at the latest, with ContextError::deadline_exceeded. Go:
// context.WithDeadline.
[[nodiscard, gnu::always_inline]] inline std::pair<Context, CancelFunc> with_deadline(
    const Context& parent, std::chrono::steady_clock::time_point t) {
  return detail::cancellable<CancelFunc>(
      rt::new_deadline_context(parent.core(), t.time_since_epoch().count(), detail::current_pc()));
}
// with_deadline, d from now. Go: context.WithTimeout.
template <class Rep, class Period>
[[nodiscard, gnu::always_inline]] inline std::pair<Context, CancelFunc> with_timeout(
    const Context& parent, std::chrono::duration<Rep, Period> d) {
  return detail::cancellable<CancelFunc>(
      rt::new_timeout_context(parent.core(), detail::to_ns(d), detail::current_pc()));
}
// A child that has a value for the key, which must outlive it. Go: context.WithValue.
template <class T>
[[nodiscard]] Context with_value(const Context& parent, const ContextKey<T>& key,
                                 std::type_identity_t<T> value) {
  return Context(
      rt::new_value_context(parent.core(), &key, std::make_shared<const T>(std::move(value))));
}
// A child with the values of parent, which is not cancelled with it and has no deadline. Go:
// context.WithoutCancel.
[[nodiscard]] inline Context without_cancel(const Context& parent) {
  return Context(rt::new_detached_context(parent.core()));
}

// What after_func gives back: keeps the function from being called.
class StopFunc {
 public:
  explicit StopFunc(rt::context_callback* adopt) noexcept : f_(adopt) {}
  StopFunc(const StopFunc& o) noexcept : f_(o.f_) {
    if (f_) rt::callback_ref(f_);
  }
  StopFunc(StopFunc&& o) noexcept : f_(std::exchange(o.f_, nullptr)) {}
  StopFunc& operator=(StopFunc o) noexcept {
    std::swap(f_, o.f_);
    return *this;
  }
  ~StopFunc() {
    if (f_) rt::callback_unref(f_);
  }
  // True: the function will not be called. False: it was started (and may be running), or was
  // stopped before. Never blocks.
  bool operator()() const { return f_ && rt::stop_callback(f_); }

 private:
  rt::context_callback* f_;
};

// Calls f in a goroutine of its own once ctx is done; at once where it is. What is dropped does not
// stop it: neither the handles of ctx nor the StopFunc. So f keeps ctx, and where nothing can
// cancel that any more, both are kept for good, and shown as forgotten. Go: context.AfterFunc.
template <class F>
[[gnu::always_inline]] inline StopFunc after_func(const Context& ctx, F f) {
  return StopFunc(
      rt::new_callback(ctx.core(), detail::callback(std::move(f)), detail::current_pc()));
}

}  // namespace weir
