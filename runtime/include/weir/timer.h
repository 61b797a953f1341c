// Timers whose ticks come through a channel, or that start a goroutine. Go: package time.
//
//   weir::select(weir::on_recv(answers, use),
//                weir::on_recv(weir::after(1s), [] { throw too_late(); }));
//
// Ticks carry the time at which they were sent. To its user the channel looks unbuffered (len and
// cap are 0), as in Go 1.23: after stop or reset has returned, no tick from before it is received.
// All functions may be called from goroutines and plain threads, at the same time; the scheduler
// runs the timers, so nothing ticks before weir::run, nor after it. A duration that is too long for
// the clock never ends. Timers and tickers are shared handles: copies name the same one. A ticker,
// and a timer with a channel, are freed with the last handle to them or to their channel: nothing
// leaks that was not stopped.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include <weir/chan.h>
#include <weir/detail/callback.h>
#include <weir/detail/duration.h>
#include <weir/detail/pc.h>

namespace weir {

namespace rt {

// A channel with a timer, armed for `ns` from now and then each `period` ns (0: once).
hchan* make_chan_timer(int64_t ns, int64_t period, const void* made_pc);
// Nothing to be received and none to come. True: there was.
bool stop_chan_timer(hchan* c);
// The same, then arms it again.
bool reset_chan_timer(hchan* c, int64_t ns, int64_t period);

// A timer that starts a goroutine. Counted references, of which one is the armed timer's.
struct func_timer;
func_timer* make_func_timer(int64_t ns, detail::callback f, const void* made_pc);
void func_timer_ref(func_timer* t) noexcept;
void func_timer_unref(func_timer* t) noexcept;
bool stop_func_timer(func_timer* t);
bool reset_func_timer(func_timer* t, int64_t ns);

// As in Go.
[[noreturn]] void panic_interval(const char* what);

}  // namespace rt

// The channel on which the time is sent once, when d has passed (at once where d is not positive).
// Never blocks. Go: time.After.
template <class Rep, class Period>
[[nodiscard, gnu::always_inline]] inline recv_chan<std::chrono::steady_clock::time_point> after(
    std::chrono::duration<Rep, Period> d) {
  return recv_chan<std::chrono::steady_clock::time_point>(
      rt::chan_ref(rt::make_chan_timer(detail::to_ns(d), 0, detail::current_pc())));
}

// One tick, or one call of a function, when a duration has passed. Go: time.Timer.
class Timer {
 public:
  // Sends the time on c() when d has passed. Go: time.NewTimer.
  template <class Rep, class Period>
  [[gnu::always_inline]] explicit Timer(std::chrono::duration<Rep, Period> d) : c_(after(d)) {}
  Timer(const Timer& o) noexcept : c_(o.c_), f_(o.f_) {
    if (f_) rt::func_timer_ref(f_);
  }
  Timer(Timer&& o) noexcept : c_(std::move(o.c_)), f_(std::exchange(o.f_, nullptr)) {}
  Timer& operator=(Timer o) noexcept {
    std::swap(c_, o.c_);
    std::swap(f_, o.f_);
    return *this;
  }
  ~Timer() {
    if (f_) rt::func_timer_unref(f_);
  }

  // Where the tick comes from; a nil channel for a timer made by after_func. Go: the field C.
  const recv_chan<std::chrono::steady_clock::time_point>& c() const noexcept { return c_; }

  // Keeps the timer from ticking. True: it would have, and its tick was not received; false: it has
  // ticked (for after_func: its function was started, and may be running), or was stopped before.
  // Go: Stop.
  bool stop() const { return f_ ? rt::stop_func_timer(f_) : rt::stop_chan_timer(c_.core()); }

  // Stops the timer and lets it tick when d has passed from now. Returns what stop would have. Go:
  // Reset.
  template <class Rep, class Period>
  bool reset(std::chrono::duration<Rep, Period> d) const {
    int64_t ns = detail::to_ns(d);
    return f_ ? rt::reset_func_timer(f_, ns) : rt::reset_chan_timer(c_.core(), ns, 0);
  }

 private:
  template <class Rep, class Period, class F>
  friend Timer after_func(std::chrono::duration<Rep, Period> d, F f);
  explicit Timer(rt::func_timer* f) noexcept : f_(f) {}

  recv_chan<std::chrono::steady_clock::time_point> c_;
  rt::func_timer* f_ = nullptr;
};

// Calls f in a goroutine of its own when d has passed, also when the returned timer was dropped. f
// may be called again, even while it runs, if the timer is reset. Go: time.AfterFunc.
template <class Rep, class Period, class F>
[[gnu::always_inline]] inline Timer after_func(std::chrono::duration<Rep, Period> d, F f) {
  return Timer(
      rt::make_func_timer(detail::to_ns(d), detail::callback(std::move(f)), detail::current_pc()));
}

// A tick each time that a duration has passed; ticks that come while the last one was not received
// are dropped. Go: time.Ticker.
class Ticker {
 public:
  // Throws panic_error unless d is positive. Go: time.NewTicker.
  template <class Rep, class Period>
  [[gnu::always_inline]] explicit Ticker(std::chrono::duration<Rep, Period> d)
      : c_(make(detail::to_ns(d), detail::current_pc())) {}

  // Where the ticks come from. Go: the field C.
  const recv_chan<std::chrono::steady_clock::time_point>& c() const noexcept { return c_; }

  // No more ticks. The channel is not closed. Go: Stop.
  void stop() const { rt::stop_chan_timer(c_.core()); }

  // From now on, ticks come each d. Also starts a stopped ticker again. Throws panic_error unless d
  // is positive. Go: Reset.
  template <class Rep, class Period>
  void reset(std::chrono::duration<Rep, Period> d) const {
    int64_t ns = detail::to_ns(d);
    if (ns <= 0) rt::panic_interval("non-positive interval for Ticker.Reset");
    rt::reset_chan_timer(c_.core(), ns, ns);
  }

 private:
  static rt::chan_ref make(int64_t ns, const void* pc) {
    if (ns <= 0) rt::panic_interval("non-positive interval for NewTicker");
    return rt::chan_ref(rt::make_chan_timer(ns, ns, pc));
  }

  recv_chan<std::chrono::steady_clock::time_point> c_;
};

}  // namespace weir
