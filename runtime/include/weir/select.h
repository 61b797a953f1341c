// select: waits until one of several channel operations can go on, and does it. Go's select.
//
//   weir::select(
//       weir::on_recv(jobs, [&](std::optional<Job> j) { if (j) work(*j); else open = false; }),
//       weir::on_send(results, r, [&] { ++sent; }),
//       weir::on_default([&] { idle(); }));
//
// Of several that are ready one is chosen at random, so none starves. A nil channel is never ready.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <weir/chan.h>
#include <weir/detail/pc.h>

namespace weir {

namespace rt {

struct scase {
  hchan* c;    // nullptr: a nil channel
  void* elem;  // send: the value; receive: where it goes (uninitialized)
  bool send;
};

struct select_result {
  int index;    // of the case that went on; -1: none was ready (only when !block)
  bool closed;  // a receive that found the channel closed and drained
};

// At most kMaxCases cases. Throws panic_error when the chosen case sends on a closed channel.
inline constexpr size_t kMaxCases = 1024;
select_result selectgo(const scase* cases, size_t n, bool block);

}  // namespace rt

namespace detail {

struct nothing {
  void operator()() const noexcept {}
};

template <class T, class F>
class recv_case {
 public:
  static constexpr bool kDefault = false;
  recv_case(rt::hchan* c, F f) : c_(c), f_(std::move(f)) {}
  rt::scase core() noexcept { return {c_, slot_, false}; }
  void run(bool closed) {
    std::optional<T> value;
    if (!closed) {
      T* v = std::launder(reinterpret_cast<T*>(slot_));
      value.emplace(std::move(*v));
      v->~T();
    }
    if constexpr (std::is_invocable_v<F&, std::optional<T>>) {
      f_(std::move(value));
    } else {
      f_();
    }
  }

 private:
  rt::hchan* c_;
  F f_;
  alignas(T) unsigned char slot_[sizeof(T)];
};

template <class T, class F>
class send_case {
 public:
  static constexpr bool kDefault = false;
  send_case(rt::hchan* c, T v, F f) : c_(c), v_(std::move(v)), f_(std::move(f)) {}
  rt::scase core() noexcept { return {c_, std::addressof(v_), true}; }
  void run(bool) { f_(); }

 private:
  rt::hchan* c_;
  T v_;
  F f_;
};

template <class F>
class default_case {
 public:
  static constexpr bool kDefault = true;
  explicit default_case(F f) : f_(std::move(f)) {}
  void run(bool) { f_(); }

 private:
  F f_;
};

}  // namespace detail

// A case that receives from ch (a chan or recv_chan, kept alive by the caller for the select): f
// gets a std::optional<T>, nullopt when ch is closed and drained; f may also take nothing. Go: case
// v, ok := <-ch.
template <class C, class F = detail::nothing>
auto on_recv(const C& ch, F f = {}) {
  using T = typename C::value_type;
  static_assert(std::is_invocable_v<F&, std::optional<T>> || std::is_invocable_v<F&>,
                "on_recv: the function takes a std::optional<T> or nothing");
  static_assert(
      requires { ch.recv(); }, "on_recv: this channel cannot be received from");
  return detail::recv_case<T, F>(ch.core(), std::move(f));
}

// A case that sends v to ch, then calls f(). Go: case ch <- v.
template <class C, class V, class F = detail::nothing>
auto on_send(const C& ch, V&& v, F f = {}) {
  using T = typename C::value_type;
  static_assert(std::is_invocable_v<F&>, "on_send: the function takes nothing");
  static_assert(
      requires { ch.close(); }, "on_send: this channel cannot be sent to");
  return detail::send_case<T, F>(ch.core(), T(std::forward<V>(v)), std::move(f));
}

// The case that is taken when no other is ready: the select never blocks. Go: default.
template <class F = detail::nothing>
auto on_default(F f = {}) {
  static_assert(std::is_invocable_v<F&>, "on_default: the function takes nothing");
  return detail::default_case<F>(std::move(f));
}

// Waits until one of the cases can go on, does it, calls its function and returns the position of
// the case among the arguments, from 0. Without on_default it blocks (wait reason "select"); with
// no cases at all for ever ("select (no cases)"). Throws panic_error when the chosen case sends on
// a closed channel, and whatever the function throws. Goroutines and plain threads. Go: select.
template <class... Cases>
[[gnu::always_inline]] inline size_t select(Cases... cases) {
  constexpr size_t kDefaults = (size_t{0} + ... + (Cases::kDefault ? 1 : 0));
  constexpr size_t kOps = sizeof...(Cases) - kDefaults;
  static_assert(kDefaults <= 1, "select: more than one on_default");
  static_assert(kOps <= rt::kMaxCases, "select: too many cases");
  std::array<rt::scase, kOps + 1> ops{};    // one more: no arrays of size zero
  std::array<size_t, kOps + 1> position{};  // of each operation among the arguments
  size_t n = 0, at = 0, default_at = 0;
  (
      [&] {
        if constexpr (Cases::kDefault) {
          default_at = at++;
        } else {
          ops[n] = cases.core();
          position[n++] = at++;
        }
      }(),
      ...);
  (void)at, (void)default_at;
  rt::select_result r = rt::selectgo(ops.data(), n, kDefaults == 0);
  detail::keep_frame();
  size_t chosen = r.index < 0 ? default_at : position[static_cast<size_t>(r.index)];
  at = 0;
  (
      [&] {
        if (at++ == chosen) cases.run(r.closed);
      }(),
      ...);
  return chosen;
}

}  // namespace weir
